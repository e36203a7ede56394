import { z } from 'zod';
import type { ObjectMeta } from '../kube/types.ts';
import { conditionSchema } from './condition.ts';
import {
  baselineFaultSchema,
  closingSchema,
  ordersSchema,
  reasonSchema,
  receiptSchema,
  unseenPathSchema,
  verdictSchema,
} from './protocol.ts';

const time = z.iso.datetime({ offset: true });

/** Written as a whole: what somebody else put into it, like a hold, does not stay beside what the operator writes. */
const whole = (description: string) => ({ description, 'x-kubernetes-map-type': 'atomic' });

/** What of a node a scan did not see: it may be otherwise than at the baseline, whatever the scan says. */
const resultUnseenSchema = z.object({
  count: z.int().describe('How much there is that AIDE could not read where the configuration looks.'),
  sinceBaseline: z
    .int()
    .describe(
      'How much of it, at least, was seen when the baseline was made, or is not known to have been unseen then.',
    ),
  digest: z.string().describe('SHA-256 sums, hex, over all of it.'),
  paths: z.array(unseenPathSchema).describe('The first of it; what counts as since the baseline comes first.'),
});
export type ResultUnseen = z.output<typeof resultUnseenSchema>;

/** One scan's result, as the OpenShift File Integrity Operator shows it. */
const scanResultSchema = z.object({
  lastProbeTime: time.describe('When the scan ended.'),
  condition: verdictSchema.describe('Succeeded, Failed or Errored.'),
  resultConfigMapName: z.string().exactOptional().describe('Config map with the report of a Failed scan.'),
  resultConfigMapNamespace: z.string().exactOptional(),
  errorMessage: z
    .string()
    .exactOptional()
    .describe('Why the scan could not be done, errorCode first; or what is to be known of a Failed one.'),
  errorCode: z.string().exactOptional().describe('Which of the errors in docs/errors.md it is.'),
  filesAdded: z.int().exactOptional(),
  filesChanged: z.int().exactOptional(),
  filesRemoved: z.int().exactOptional(),
  baselineFault: baselineFaultSchema
    .exactOptional()
    .describe('Why nothing that this scan compared is verified: what is the matter with the database on the node.'),
  mountChanges: z
    .int()
    .exactOptional()
    .describe(
      'How many mounts where the configuration looks are otherwise than at the baseline; errorMessage names them.',
    ),
  unseen: resultUnseenSchema
    .exactOptional()
    .describe('What this scan did not see; not there: nothing, or the scan could not be done.'),
  findingsConfigMapName: z
    .string()
    .exactOptional()
    .describe('Config map with the first page of the structured findings of a Failed scan.'),
  unproven: z
    .literal(true)
    .exactOptional()
    .describe('Nothing says which database this scan read, as an earlier operator has it: it proves nothing.'),
  failureSequence: z.int().exactOptional().describe('The number of the kept failure that it is.'),
  failureDigest: z.string().exactOptional().describe('The digest of the kept failure that it is.'),
});
export type ScanResult = z.output<typeof scanResultSchema>;

/** What was on record of the node of a name when its status went: what a node of that name has is compared with it. */
export const departedSchema = z.object({
  at: time.describe('When the status went, or was found gone.'),
  why: z.enum(['gone', 'replaced', 'forgotten', 'over', 'removed']),
  who: z.string().exactOptional().describe('Who asked for it, as far as that is known.'),
  uid: z.string().exactOptional().describe('Uid of the node object.'),
  baseline: receiptSchema,
  lastResult: scanResultSchema.exactOptional().describe('The last result, if that was Failed.'),
  kept: z
    .object({ sequence: z.int(), digest: z.string() })
    .exactOptional()
    .describe('Of the failure that was kept last: all before it are linked to it.'),
});
export type Departed = z.output<typeof departedSchema>;

/** A node that was watched and is not selected any more: what is on record of it stays. */
const unselectedSchema = z.object({
  reason: z
    .enum(['Deselected', 'NotTolerated', 'SpecChanged'])
    .describe(
      'Deselected: its labels are others. NotTolerated: it has a taint that is not tolerated. SpecChanged: the FileIntegrity does not ask for it any more.',
    ),
  message: z.string().describe('What has changed.'),
  since: time,
});
export type Unselected = z.output<typeof unselectedSchema>;

/**
 * What a node is, in one word; the first that fits, from the top.
 * - `Failed`: a failure stands, or its last result says so, however old it is;
 * - `Unwatched`: it was watched, and is not selected any more;
 * - `Errored`: its last result says so, however old it is, or found nothing and saw less of the node than the baseline has;
 * - `Held`: no scan is started on it;
 * - `Initializing`: its baseline, or the first scan against it or after a hold, is still to come, and not overdue;
 * - `Silent`: no scan is known that is recent enough;
 * - `Succeeded`: a recent scan found no difference from the baseline on record.
 */
export const NODE_STATES = ['Failed', 'Unwatched', 'Errored', 'Held', 'Initializing', 'Silent', 'Succeeded'] as const;
export type NodeState = (typeof NODE_STATES)[number];

/** A Failed result that was kept. Each is linked to the one before it: see `digest`. */
const keptFailureSchema = z.object({
  sequence: z.int().describe('1 for the first Failed result of the node, and one more for each.'),
  digest: z
    .string()
    .describe('SHA-256, hex, over the result, its report and the digest of the kept failure before it.'),
  configMapName: z.string().describe('Config map with the report.'),
  lastProbeTime: time.describe('When the scan ended that found it first.'),
  filesAdded: z.int().exactOptional(),
  filesChanged: z.int().exactOptional(),
  filesRemoved: z.int().exactOptional(),
  baselineFault: baselineFaultSchema.exactOptional(),
  finding: z.string().exactOptional().describe('SHA-256, hex, over what was found, whenever that was.'),
  times: z
    .int()
    .exactOptional()
    .describe('How often it was found anew, with another result in between; once if absent.'),
  lastSeen: time.exactOptional().describe('When the scan ended that found it anew last.'),
});
export type KeptFailure = z.output<typeof keptFailureSchema>;

/** What was found, and not undone nor accepted since. */
const failureSchema = z.object({
  since: time.describe('When the first scan that found it was taken in, by the clock of the operator.'),
  lastProbeTime: time.describe('When the newest scan that found it ended.'),
  baselineDigest: z
    .string()
    .exactOptional()
    .describe(
      'The baseline on record that it stands against: a scan that finds no difference from it ends the failure.',
    ),
  configMapName: z.string().exactOptional().describe('Config map with the report.'),
  sequence: z.int().exactOptional().describe('The number of the kept failure, which never changes.'),
  digest: z.string().exactOptional().describe('The digest of the kept failure.'),
  filesAdded: z.int().exactOptional(),
  filesChanged: z.int().exactOptional(),
  filesRemoved: z.int().exactOptional(),
  mountChanges: z.int().exactOptional(),
  baselineFault: baselineFaultSchema.exactOptional(),
});
export type StandingFailure = z.output<typeof failureSchema>;

/** A failure that a new baseline ended. */
const acceptedFailureSchema = failureSchema.extend({
  acceptedAt: time.describe('When the receipt of the new baseline was taken in, by the clock of the operator.'),
  order: z.string().describe('Id of the order that it was made by.'),
  reason: reasonSchema.describe('Why the baseline was ordered.'),
  who: z.string().describe('Who asked for it, as far as the API server tells; else unknown.'),
});
export type AcceptedFailure = z.output<typeof acceptedFailureSchema>;

/** The fields of a FileIntegrityNodeStatus beside its metadata: top-level, as the existing operator has them. */
export const nodeStatusFieldsSchema = z.object({
  nodeName: z.string().describe('The node.'),
  lastResult: scanResultSchema.exactOptional().meta(whole('The newest result.')),
  state: z.enum(NODE_STATES).exactOptional().describe('The node in one word, the age of its last result included.'),
  freshUntil: time
    .exactOptional()
    .describe('Until when this status counts if no newer scan is taken in, by the clock of the operator.'),
  observedGeneration: z
    .int()
    .exactOptional()
    .describe('The generation of the FileIntegrity that state and conditions speak of.'),
  // Where kubectl wait and kstatus look for conditions; the rest lies where the existing operator has it.
  status: z
    .object({
      conditions: z.array(conditionSchema).exactOptional().describe('What holds of the node now, and since when.'),
    })
    .exactOptional(),
  results: z.array(scanResultSchema).exactOptional().describe('The newest result of each condition.'),
  orders: ordersSchema.meta(whole("The operator's orders to the node's daemon.")).exactOptional(),
  predecessor: departedSchema
    .exactOptional()
    .meta(whole('What was on record of the node of this name before this status was made, until it is taken up.')),
  unselected: unselectedSchema
    .exactOptional()
    .meta(whole('Since when and why the node is not watched any more, while it is not.')),
  baseline: receiptSchema.exactOptional().meta(whole("The receipt of the node's baseline.")),
  baselines: z
    .array(receiptSchema)
    .exactOptional()
    .describe('The newest receipts, this baseline included, newest first.'),
  closing: closingSchema
    .extend({ order: z.string() })
    .exactOptional()
    .meta(whole('What the node was found to differ in before the baseline of this order, which is still to be made.')),
  failures: z.array(keptFailureSchema).exactOptional().describe('The Failed results that are kept, newest first.'),
  failure: failureSchema
    .exactOptional()
    .meta(
      whole('The failure that stands: until a scan finds no difference from the same baseline, or it is accepted.'),
    ),
  accepted: z
    .array(acceptedFailureSchema)
    .exactOptional()
    .describe('The failures that new baselines ended, newest first: by which order, and who asked for it.'),
  notices: z
    .array(z.object({ at: time, reason: z.string(), message: z.string() }))
    .exactOptional()
    .describe('What the daemon told beside its scans, such as a trigger file found on the node; newest first.'),
  lastScan: z
    .object({
      startedAt: time,
      finishedAt: time,
      observedAt: time
        .exactOptional()
        .describe(
          'When the operator took it in, by its own clock; when it came, if it waited while no operator looked.',
        ),
      exitStatus: z.int().exactOptional(),
      entries: z.int().exactOptional(),
      baselineDigest: z.string().exactOptional(),
      configurationDigest: z.string().exactOptional(),
    })
    .exactOptional()
    .meta(whole('Facts of the newest scan.')),
  freshness: z
    .object({
      since: time.describe('When the newest scan that was done was taken in, or came if it waited.'),
      scanSeconds: z
        .int()
        .describe('How long a scan takes, as it counts for freshUntil: no word of the node more than doubles it.'),
    })
    .exactOptional()
    .meta(whole('What freshUntil goes by, by the clocks of the API server and the operator.')),
  unkept: z
    .string()
    .exactOptional()
    .describe("Id of the daemon's message whose finding is in lastResult, and whose report is still to be kept."),
  acknowledged: z.string().exactOptional().describe("Id of the daemon's message that was taken in last."),
});
export type NodeStatusFields = z.output<typeof nodeStatusFieldsSchema>;

export interface FileIntegrityNodeStatus extends NodeStatusFields {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}
