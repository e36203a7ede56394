import { z } from 'zod';
import type { ObjectMeta } from '../kube/types.ts';
import { conditionSchema } from './condition.ts';

const toleration = z
  .object({
    key: z.string().exactOptional(),
    operator: z.enum(['Exists', 'Equal', 'Lt', 'Gt']).exactOptional(),
    value: z.string().exactOptional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).exactOptional(),
    tolerationSeconds: z.int().exactOptional(),
  })
  .describe('As in a pod: which taints of a node the daemons accept.');

const configSchema = z
  .object({
    name: z
      .string()
      .max(253)
      .exactOptional()
      .describe('Config map with your AIDE configuration, written for the paths of the node.'),
    namespace: z.string().max(63).exactOptional().describe('Namespace of that config map.'),
    key: z.string().max(253).default('aide.conf').describe('Key in that config map.'),
    gracePeriod: z
      .int()
      .default(900)
      .describe(
        'Seconds between the end of a scan and the start of the next. A value below 10 acts as 10, one above a day as a day, unless the operator allows more.',
      ),
    maxBackups: z
      .int()
      .min(0)
      .default(5)
      .describe('How many backups of the database, and of the log, are kept on a node.'),
    initialDelay: z
      .int()
      .min(0)
      .default(0)
      .describe('Seconds from the creation of this object until its daemon set is made.'),
  })
  .describe('The AIDE configuration and how the daemons use it. May be empty: {}.');

/** As the API server reads it: a number with a suffix or an exponent. */
const QUANTITY =
  /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)))?$/;
const quantity = z.union([z.string().max(64).regex(QUANTITY), z.number()]);

/** What the value of a label can be. */
const labelValue = z
  .string()
  .max(63)
  .regex(/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/);

/** How long a node may be held where a spec says nothing: one that was stored before there was a limit has none. */
export const DEFAULT_HOLD_LIMIT_SECONDS = 14_400;

/** How long what is on record of a node outlives its selection where a spec says nothing: 30 days. */
export const DEFAULT_DEPARTED_FOR_SECONDS = 2_592_000;

/** `spec` of a FileIntegrity: the one source of types, defaults, CRD and reference documentation. */
export const fileIntegritySpecSchema = z.object({
  nodeSelector: z
    .record(z.string(), labelValue)
    .exactOptional()
    .describe('Labels of the nodes to watch. Empty or absent: every node that the tolerations admit.'),
  config: configSchema,
  debug: z.boolean().default(false).describe('Debug logging in the daemons.'),
  tolerations: z
    .array(toleration)
    .default([
      { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' },
      { key: 'node-role.kubernetes.io/master', operator: 'Exists', effect: 'NoSchedule' },
      { key: 'node-role.kubernetes.io/infra', operator: 'Exists', effect: 'NoSchedule' },
    ])
    .describe('Taints that the daemons accept.'),
  priorityClassName: z
    .string()
    .max(253)
    .exactOptional()
    .describe("The daemon pods' priority class. One that does not exist is cleared, with a Warning event."),
  resources: z
    .object({
      limits: z.record(z.string(), quantity).exactOptional(),
      requests: z.record(z.string(), quantity).exactOptional(),
    })
    .exactOptional()
    .describe("Resources of the daemon's container, as in a pod."),
  staleAfter: z
    .int()
    .min(10)
    .exactOptional()
    .describe(
      'Seconds after which a node without a newer scan is no longer Fresh. Default: twice the gracePeriod and twice as long as its last scan took, and 5 minutes.',
    ),
  holdLimit: z
    .int()
    .min(60)
    .default(DEFAULT_HOLD_LIMIT_SECONDS)
    .describe('Seconds that a node may be held, whoever holds it, before that is an alert.'),
  history: z
    .object({
      failedResults: z
        .int()
        .min(0)
        .max(50)
        .default(5)
        .describe('How many Failed results of a node are kept beside the newest, each with its report.'),
      reinitRecords: z
        .int()
        .min(1)
        .max(500)
        .default(50)
        .describe('How many records of re-initialisations are kept; of those that follow node updates, as many again.'),
      departedFor: z
        .int()
        .min(0)
        .max(315_360_000)
        .default(DEFAULT_DEPARTED_FOR_SECONDS)
        .describe(
          'Seconds for which what is on record of a node is kept once this object does not select it any more, or it is gone. What a node does to its own labels ends nothing.',
        ),
    })
    .default({ failedResults: 5, reinitRecords: 50, departedFor: DEFAULT_DEPARTED_FOR_SECONDS })
    .describe('What is kept of the past.'),
});

const PHASES = ['Pending', 'Initializing', 'Active', 'Error'] as const;
export type Phase = (typeof PHASES)[number];

/**
 * How many nodes are in which state (`NodeState`); they add up to `selected` and `deselected`, with those that cannot be
 * watched.
 */
const nodeCountsSchema = z.object({
  selected: z.int().describe('Nodes that node selector and tolerations admit.'),
  watched: z
    .int()
    .describe('Of these, the nodes whose daemon runs and is not held: see the condition Ready of each node.'),
  succeeded: z.int(),
  failed: z.int(),
  errored: z.int(),
  initializing: z.int(),
  held: z.int(),
  silent: z.int().describe('Nodes of which no scan is known that is recent enough.'),
  unwatched: z
    .int()
    .describe(
      'Nodes that were watched and are not any more, or have no status, because its name belongs to something else.',
    ),
  // Optional, because a status that was stored before does not have them.
  deselected: z
    .int()
    .exactOptional()
    .describe('Nodes that were watched and are not selected any more, whatever their state. They are not in selected.'),
  notTolerated: z
    .int()
    .exactOptional()
    .describe(
      'Nodes that the node selector fits and that were never watched, because the tolerations do not admit them.',
    ),
});
export type NodeCounts = z.output<typeof nodeCountsSchema>;

/** How many values of the annotation `re-init-once` are remembered. */
export const REINIT_ONCE_LIMIT = 20;

const reinitOnceSchema = z.object({
  id: z.string().describe('Id of its request; the record of what it erased is aide-<name>-reinit-<id>.'),
  value: z.string().describe('The value, cut to 253 characters.'),
  at: z.string().describe('RFC 3339, when it was taken up.'),
});
export type ReinitOnce = z.output<typeof reinitOnceSchema>;

export const fileIntegrityStatusSchema = z.object({
  phase: z.enum(PHASES).exactOptional().describe('Pending, Initializing, Active or Error.'),
  observedGeneration: z.int().exactOptional().describe('The generation of the spec that this status speaks of.'),
  freshUntil: z.iso
    .datetime({ offset: true })
    .exactOptional()
    .describe(
      'Until when what is said of the nodes counts, whatever becomes of the operator: the earliest of theirs, or shortly before it.',
    ),
  nodes: nodeCountsSchema.exactOptional().describe('Counts of nodes by state.'),
  reinitOnce: z
    .array(reinitOnceSchema)
    .exactOptional()
    .describe('The values of the annotation re-init-once that were taken up, the newest last: each is done once.'),
  conditions: z.array(conditionSchema).exactOptional().describe('What holds now, and since when.'),
});

/** `spec` as the API server stores it: defaults filled in. */
export type FileIntegritySpec = z.output<typeof fileIntegritySpecSchema>;
/** `spec` as a user writes it. */
export type FileIntegritySpecInput = z.input<typeof fileIntegritySpecSchema>;
export type FileIntegrityStatus = z.output<typeof fileIntegrityStatusSchema>;

export interface FileIntegrity {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: FileIntegritySpec;
  status?: FileIntegrityStatus;
}

/** Seconds between scans as the daemons take them: contract: below 10 acts as 10. */
export function effectiveGracePeriod(spec: Pick<FileIntegritySpec, 'config'>): number {
  return Math.max(10, spec.config.gracePeriod);
}
