import type { BaselineReceipt } from '../api/outcome.ts';
import type { Message } from './outbox.ts';
import { type Check, flag, listOf, oneOf, optional, shape, text, time, wholeNumber } from './shape.ts';

/**
 * What a daemon leaves on its node's disk and reads again, as it is written there. Root on the node can write anything into
 * these files. The same as the schemas of `src/api/outcome-schema.ts`, by hand: those need a package, for which every node
 * would pay.
 */
const id = text(128, /^[!-~]+$/);
const digest = text(64, /^[0-9a-f]{64}$/);
const sentence = text(4096);
const count = wholeNumber();

const mountText = text(512, /^[!-~]+$/);
const unseen = shape({
  count,
  digest,
  paths: listOf(shape({ path: text(256, /^[!-~]+$/), what: oneOf('Path', 'Content', 'Attributes', 'Other') }), 32),
});
const rules = shape({
  idle: listOf(wholeNumber(100_000), 64),
  links: listOf(shape({ line: wholeNumber(100_000), target: mountText }), 16),
  more: optional(count),
});
const receipt = shape({
  orderId: id,
  digest,
  entries: count,
  configurationDigest: digest,
  aideVersion: text(64),
  bootId: text(64),
  reason: oneOf('Initial', 'Demand', 'Failed', 'Configuration', 'NodeUpdate'),
  adopted: optional(flag),
  refused: optional(sentence),
  mounts: optional(
    shape({
      count,
      digest,
      mounts: listOf(shape({ path: mountText, type: mountText, root: mountText, device: mountText }), 64),
    }),
  ),
  unseen: optional(unseen),
  rules: optional(rules),
  createdAt: time,
});

const node = text(253, /./);

const OUTCOMES: Readonly<Record<string, Check>> = {
  scan: shape({
    id,
    node,
    verdict: oneOf('Succeeded', 'Failed', 'Errored'),
    startedAt: time,
    finishedAt: time,
    exitStatus: optional(wholeNumber(255)),
    errorMessage: optional(sentence),
    errorCode: optional(text(64)),
    counts: optional(shape({ added: count, changed: count, removed: count })),
    entries: optional(count),
    baselineDigest: optional(digest),
    baselineFault: optional(oneOf('Replaced', 'Missing', 'Damaged', 'Unordered')),
    mountChanges: optional(count),
    unseen: optional(unseen),
    configurationDigest: digest,
    again: optional(flag),
  }),
  baseline: shape({ id, node, receipt }),
  notice: shape({ id, node, notice: oneOf('UnorderedReinit', 'ResultsDamaged'), at: time, message: sentence }),
};

const outcome: Check = (value) => {
  if (typeof value !== 'object' || value === null || !('kind' in value) || typeof value.kind !== 'string') return false;
  return Object.hasOwn(OUTCOMES, value.kind) && OUTCOMES[value.kind]?.(value) === true;
};

const message = shape({
  outcome,
  report: optional(
    shape({
      compressed: flag,
      log: text(200),
      json: optional(text(200)),
      // Warnings and losses, some sentences each.
      head: optional(text(64 * 1024)),
      note: optional(text(64 * 1024)),
    }),
  ),
  sameness: optional(text(16 * 1024)),
  withoutReport: optional(text(16 * 1024)),
});

export function isReceipt(value: unknown): value is BaselineReceipt {
  return receipt(value);
}

export function isMessage(value: unknown): value is Message {
  return message(value);
}
