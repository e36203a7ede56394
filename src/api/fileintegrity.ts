import { z } from 'zod';
import type { ObjectMeta } from '../kube/types.ts';

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
      .describe('Seconds between the end of a scan and the start of the next. A value below 10 acts as 10.'),
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
});

const PHASES = ['Pending', 'Initializing', 'Active', 'Error'] as const;
export type Phase = (typeof PHASES)[number];

const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.int().exactOptional(),
  lastTransitionTime: z.iso.datetime({ offset: true }),
  reason: z.string(),
  message: z.string(),
});
export type Condition = z.output<typeof conditionSchema>;

export const fileIntegrityStatusSchema = z.object({
  phase: z.enum(PHASES).exactOptional().describe('Pending, Initializing, Active or Error.'),
  observedGeneration: z.int().exactOptional().describe('The generation of the spec that this status speaks of.'),
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
export function effectiveGracePeriod(spec: FileIntegritySpec): number {
  return Math.max(10, spec.config.gracePeriod);
}
