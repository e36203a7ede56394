import type {
  BaselineClosing,
  BaselineFault,
  BaselineReason,
  BaselineReceipt,
  FileCounts,
  MountRecord,
  NoticeOutcome,
  Outcome,
  RecordedMount,
  RuleRecord,
  ScanOutcome,
  UnseenPath,
  UnseenRecord,
  Verdict,
} from '../../api/protocol.ts';
import type { Message, ReportFiles } from './outbox.ts';
import { type Check, flag, integer, listOf, oneOf, optional, shape, text, time, wholeNumber } from './shape.ts';

/**
 * What a daemon leaves on its node's disk and reads again, as it is written there. Root on the node can write anything into
 * these files. The same as the schemas of `src/api/protocol.ts`, by hand: those need a package, for which every node would
 * pay. The compiler wants a check for each field and each name of the types there, and a test compares what both accept.
 */
const id = text(128, /^[!-~]+$/);
const digest = text(64, /^[0-9a-f]{64}$/);
const sentence = text(4096);
const count = wholeNumber();
const line = wholeNumber(100_000);
const mountText = text(512, /^[!-~]+$/);

const verdict = oneOf<Verdict>({ Succeeded: true, Failed: true, Errored: true });
const baselineFault = oneOf<BaselineFault>({ Replaced: true, Missing: true, Damaged: true, Unordered: true });
const counts = shape<FileCounts>({ added: count, changed: count, removed: count });
const mounts = shape<MountRecord>({
  count,
  digest,
  mounts: listOf(shape<RecordedMount>({ path: mountText, type: mountText, root: mountText, device: mountText }), 64),
});
const unseen = shape<UnseenRecord>({
  count,
  digest,
  paths: listOf(
    shape<UnseenPath>({
      path: text(256, /^[!-~]+$/),
      what: oneOf<UnseenPath['what']>({ Path: true, Content: true, Attributes: true, Other: true }),
    }),
    32,
  ),
});
const rules = shape<RuleRecord>({
  idle: listOf(line, 64),
  links: listOf(shape<RuleRecord['links'][number]>({ line, target: mountText }), 16),
  more: optional(count),
});
const closing = shape<BaselineClosing>({
  scan: optional(id),
  verdict: optional(verdict),
  counts: optional(counts),
  baselineFault: optional(baselineFault),
  mountChanges: optional(count),
  uncompared: optional(sentence),
  gap: optional(shape<NonNullable<BaselineClosing['gap']>>({ from: time, to: time })),
  kept: optional(
    shape<NonNullable<BaselineClosing['kept']>>({
      configMapName: text(16 * 1024),
      sequence: optional(integer),
      digest: optional(text(16 * 1024)),
      setAside: optional(flag),
    }),
  ),
  at: optional(time),
});
const receipt = shape<BaselineReceipt>({
  orderId: id,
  digest,
  entries: count,
  configurationDigest: digest,
  aideVersion: text(64),
  bootId: text(64),
  reason: oneOf<BaselineReason>({ Initial: true, Demand: true, Failed: true, Configuration: true, NodeUpdate: true }),
  adopted: optional(flag),
  refused: optional(sentence),
  mounts: optional(mounts),
  unseen: optional(unseen),
  rules: optional(rules),
  closing: optional(closing),
  createdAt: time,
});

const node = text(253, /[\s\S]/);

const OUTCOMES: Readonly<Record<Outcome['kind'], Check>> = {
  scan: shape<ScanOutcome>({
    kind: oneOf<'scan'>({ scan: true }),
    id,
    node,
    verdict,
    startedAt: time,
    finishedAt: time,
    exitStatus: optional(wholeNumber(255)),
    errorMessage: optional(sentence),
    errorCode: optional(text(64)),
    counts: optional(counts),
    entries: optional(count),
    baselineDigest: optional(digest),
    baselineFault: optional(baselineFault),
    mountChanges: optional(count),
    unseen: optional(unseen),
    configurationDigest: digest,
    closes: optional(id),
    slotTaken: optional(flag),
    again: optional(flag),
  }),
  baseline: shape<Extract<Outcome, { kind: 'baseline' }>>({
    kind: oneOf<'baseline'>({ baseline: true }),
    id,
    node,
    receipt,
  }),
  notice: shape<NoticeOutcome>({
    kind: oneOf<'notice'>({ notice: true }),
    id,
    node,
    // `SlotTaken` goes by heartbeat, and never lies on a disk.
    notice: oneOf<Exclude<NoticeOutcome['notice'], 'SlotTaken'>>({ UnorderedReinit: true, ResultsDamaged: true }),
    at: time,
    message: sentence,
  }),
};

const outcome: Check = (value) => {
  if (typeof value !== 'object' || value === null || !('kind' in value) || typeof value.kind !== 'string') return false;
  return Object.hasOwn(OUTCOMES, value.kind) && OUTCOMES[value.kind as Outcome['kind']](value);
};

const message = shape<Message>({
  outcome,
  report: optional(
    shape<ReportFiles>({
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
