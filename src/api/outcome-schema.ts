import { z } from 'zod';
import { FioError } from '../lib/errors.ts';
import type { Outcome } from './outcome.ts';

/** Longest `outcome` annotation that is read, in characters. A daemon's own stay below 3,000. */
const OUTCOME_LIMIT = 16_384;

/** Ids are compared with what the API server gives back, and shown: no other characters than are the same everywhere. */
const id = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[!-~]+$/);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const time = z.iso.datetime({ offset: true });
const sentence = z.string().max(4096);
const count = z.int().nonnegative();

export const verdictSchema = z.enum(['Succeeded', 'Failed', 'Errored']);
export const baselineFaultSchema = z.enum(['Replaced', 'Missing', 'Damaged', 'Unordered']);
export const reasonSchema = z.enum(['Initial', 'Demand', 'Failed', 'Configuration', 'NodeUpdate']);

/** Visible ASCII: see `RecordedMount`. A daemon lists no longer ones. */
const mountText = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[!-~]+$/);

/** A daemon's own lists stay below 3,000 characters; see `mount-record.ts`. */
export const mountRecordSchema = z.object({
  count: count.describe('How many mounts there were where the configuration looks.'),
  digest: digest.describe('SHA-256, hex, of all of them but for their devices.'),
  mounts: z
    .array(z.object({ path: mountText, type: mountText, root: mountText, device: mountText }))
    .max(64)
    .describe('The first of them by path, as many as fit; none in an earlier receipt.'),
});

export const unseenPathSchema = z.object({
  path: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[!-~]+$/),
  what: z.enum(['Path', 'Content', 'Attributes', 'Other']),
});

/** See `UnseenRecord`. A daemon's own lists stay below 1,500 characters. */
export const unseenRecordSchema = z.object({
  count: count.describe('How much there was.'),
  digest: digest.describe('SHA-256 sums, hex, over all of it.'),
  paths: z.array(unseenPathSchema).max(32).describe('The first of it by path, as many as fit.'),
});

const line = z.int().nonnegative().max(100_000);

/** See `RuleRecord`. */
const ruleRecordSchema = z.object({
  idle: z.array(line).max(64).describe('Lines of rules that have nothing on the node.'),
  links: z
    .array(z.object({ line, target: mountText }))
    .max(16)
    .describe('Lines of rules that lead to a link, and where what they go for is.'),
  more: count.exactOptional().describe('How many more there are.'),
});

const counts = z.object({ added: count, changed: count, removed: count });

const keptClosingSchema = z.object({
  configMapName: z.string(),
  sequence: z.int().exactOptional(),
  digest: z.string().exactOptional(),
  setAside: z.boolean().exactOptional(),
});

/** The comparison with the baseline before; see `BaselineClosing`. */
export const closingSchema = z.object({
  scan: id.exactOptional(),
  verdict: verdictSchema.exactOptional(),
  counts: counts.exactOptional(),
  baselineFault: baselineFaultSchema.exactOptional(),
  mountChanges: count.exactOptional(),
  uncompared: sentence.exactOptional(),
  gap: z.object({ from: time, to: time }).exactOptional(),
  kept: keptClosingSchema.exactOptional(),
  at: time.exactOptional(),
});

export const receiptSchema = z.object({
  orderId: id,
  digest,
  entries: count,
  configurationDigest: digest,
  aideVersion: z.string().max(64),
  bootId: z.string().max(64),
  reason: reasonSchema,
  adopted: z.boolean().exactOptional(),
  refused: sentence.exactOptional(),
  mounts: mountRecordSchema.exactOptional(),
  unseen: unseenRecordSchema
    .exactOptional()
    .describe('What AIDE did not see when it made the database; not there: that is not known.'),
  rules: ruleRecordSchema
    .exactOptional()
    .describe('Which rules of the effective configuration have nothing on the node, by line.'),
  closing: closingSchema.exactOptional(),
  createdAt: time,
});

const message = { id, node: z.string().min(1).max(253) };

const outcomeSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('scan'),
    ...message,
    verdict: verdictSchema,
    startedAt: time,
    finishedAt: time,
    exitStatus: z.int().min(0).max(255).exactOptional(),
    errorMessage: sentence.exactOptional(),
    errorCode: z.string().max(64).exactOptional(),
    counts: counts.exactOptional(),
    entries: count.exactOptional(),
    baselineDigest: digest.exactOptional(),
    baselineFault: baselineFaultSchema.exactOptional(),
    mountChanges: count.exactOptional(),
    unseen: unseenRecordSchema.exactOptional(),
    configurationDigest: digest,
    closes: id.exactOptional(),
    slotTaken: z.boolean().exactOptional(),
    again: z.boolean().exactOptional(),
  }),
  z.object({ kind: z.literal('baseline'), ...message, receipt: receiptSchema }),
  z.object({
    kind: z.literal('notice'),
    ...message,
    notice: z.enum(['UnorderedReinit', 'ResultsDamaged', 'SlotTaken']),
    at: time,
    message: sentence,
  }),
]);

/** Whether it can be the id of a message. */
export function isMessageId(value: unknown): value is string {
  return id.safeParse(value).success;
}

/**
 * Reads a daemon's message from its annotation.
 * @throws FioError `OUTCOME_UNREADABLE`, saying what is wrong with it.
 */
export function parseOutcome(text: string): Outcome {
  if (text.length > OUTCOME_LIMIT) {
    throw new FioError('OUTCOME_UNREADABLE', `The daemon's message is longer than ${OUTCOME_LIMIT} characters.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FioError('OUTCOME_UNREADABLE', "The daemon's message is not JSON.", { cause });
  }
  const parsed = outcomeSchema.safeParse(value);
  if (!parsed.success) {
    throw new FioError('OUTCOME_UNREADABLE', `The daemon's message is not valid: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}
