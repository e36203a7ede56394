import { z } from 'zod';
import type { ObjectMeta } from '../kube/types.ts';
import type { Orders } from './outcome.ts';
import { receiptSchema, verdictSchema } from './outcome-schema.ts';

const time = z.iso.datetime({ offset: true });

/** Written as a whole: what somebody else put into it, like a hold, does not stay beside what the operator writes. */
const whole = (description: string) => ({ description, 'x-kubernetes-map-type': 'atomic' });

/** One scan's result, as the OpenShift File Integrity Operator shows it. */
const scanResultSchema = z.object({
  lastProbeTime: time.describe('When the scan ended.'),
  condition: verdictSchema.describe('Succeeded, Failed or Errored.'),
  resultConfigMapName: z.string().exactOptional().describe('Config map with the report of a Failed scan.'),
  resultConfigMapNamespace: z.string().exactOptional(),
  errorMessage: z.string().exactOptional().describe('Why the scan could not be done.'),
  filesAdded: z.int().exactOptional(),
  filesChanged: z.int().exactOptional(),
  filesRemoved: z.int().exactOptional(),
});
export type ScanResult = z.output<typeof scanResultSchema>;

const holdSchema = z.object({
  reason: z.enum(['Annotation', 'MachineConfig', 'NodeUpdating']),
  message: z.string(),
  since: time,
});

const ordersSchema: z.ZodType<Orders> = z
  .object({
    settings: z.object({ gracePeriod: z.int(), maxBackups: z.int(), debug: z.boolean() }),
    configuration: z.object({ name: z.string(), key: z.string(), digest: z.string() }),
    hold: holdSchema.exactOptional().describe('While present, no scan and no re-baseline is started on the node.'),
    baseline: z.object({
      id: z.string(),
      reason: z.enum(['Initial', 'Demand', 'Failed', 'Configuration', 'NodeUpdate']),
      requestedAt: time,
      detail: z.string().exactOptional(),
    }),
  })
  .meta(whole("The operator's orders to the node's daemon."));

/** The fields of a FileIntegrityNodeStatus beside its metadata: top-level, as the existing operator has them. */
export const nodeStatusFieldsSchema = z.object({
  nodeName: z.string().describe('The node.'),
  lastResult: scanResultSchema.exactOptional().meta(whole('The newest result.')),
  results: z.array(scanResultSchema).exactOptional().describe('The newest result of each condition.'),
  orders: ordersSchema.exactOptional(),
  baseline: receiptSchema.exactOptional().meta(whole("The receipt of the node's baseline.")),
  lastScan: z
    .object({
      startedAt: time,
      finishedAt: time,
      exitStatus: z.int().exactOptional(),
      entries: z.int().exactOptional(),
      baselineDigest: z.string().exactOptional(),
      configurationDigest: z.string().exactOptional(),
    })
    .exactOptional()
    .meta(whole('Facts of the newest scan.')),
  acknowledged: z.string().exactOptional().describe("Id of the daemon's message that was taken in last."),
});
export type NodeStatusFields = z.output<typeof nodeStatusFieldsSchema>;

export interface FileIntegrityNodeStatus extends NodeStatusFields {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}
