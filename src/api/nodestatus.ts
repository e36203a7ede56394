import { z } from 'zod';
import type { ObjectMeta } from '../kube/types.ts';
import type { Orders } from './outcome.ts';
import { receiptSchema, verdictSchema } from './outcome-schema.ts';

const time = z.iso.datetime({ offset: true });

/** One scan's result, as the OpenShift File Integrity Operator shows it. */
export const scanResultSchema = z.object({
  lastProbeTime: time.describe('When the scan ended.'),
  condition: verdictSchema.describe('Succeeded, Failed or Errored.'),
  resultConfigMapName: z.string().optional().describe('Config map with the report of a Failed scan.'),
  resultConfigMapNamespace: z.string().optional(),
  errorMessage: z.string().optional().describe('Why the scan could not be done.'),
  filesAdded: z.int().optional(),
  filesChanged: z.int().optional(),
  filesRemoved: z.int().optional(),
});
export type ScanResult = z.output<typeof scanResultSchema>;

const holdSchema = z.object({
  reason: z.enum(['Annotation', 'MachineConfig', 'NodeUpdating']),
  message: z.string(),
  since: time,
});

const ordersSchema = z
  .object({
    settings: z.object({ gracePeriod: z.int(), maxBackups: z.int(), debug: z.boolean() }),
    configuration: z.object({ name: z.string(), key: z.string(), digest: z.string() }),
    hold: holdSchema.optional().describe('While present, no scan and no re-baseline is started on the node.'),
    baseline: z.object({
      id: z.string(),
      reason: z.enum(['Initial', 'Demand', 'Failed', 'Configuration', 'NodeUpdate']),
      requestedAt: time,
      detail: z.string().optional(),
    }),
  })
  .describe("The operator's orders to the node's daemon.");

/** The fields of a FileIntegrityNodeStatus beside its metadata: top-level, as the existing operator has them. */
export const nodeStatusFieldsSchema = z.object({
  nodeName: z.string().describe('The node.'),
  lastResult: scanResultSchema.optional().describe('The newest result.'),
  results: z.array(scanResultSchema).optional().describe('The newest result of each condition.'),
  orders: ordersSchema.optional(),
  baseline: receiptSchema.optional().describe("The receipt of the node's baseline."),
  lastScan: z
    .object({
      startedAt: time,
      finishedAt: time,
      exitStatus: z.int().optional(),
      entries: z.int().optional(),
      baselineDigest: z.string().optional(),
      configurationDigest: z.string().optional(),
    })
    .optional()
    .describe('Facts of the newest scan.'),
  acknowledged: z.string().optional().describe("Id of the daemon's message that was taken in last."),
});
export type NodeStatusFields = z.output<typeof nodeStatusFieldsSchema>;

export interface FileIntegrityNodeStatus extends Omit<NodeStatusFields, 'orders'> {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  orders?: Orders;
}
