import fc, { type Arbitrary } from 'fast-check';

/** Texts that play with terminals, parsers and pages, and ordinary ones. */
export const hostileText: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      ' ',
      'node-1',
      '/etc/passwd',
      'a\nb',
      'a\r\nAdded entries: 0\n',
      '\x1b]0;x\x07',
      '\u202egpj.exe',
      '\ufeff',
      '\0',
    ],
    ...[
      '{{ $labels.node }}',
      '\\n',
      '\\u202e',
      '__proto__',
      '../../etc',
      '💀',
      'é',
      '\u0085',
      '\ud800',
      '\udc80',
      'a'.repeat(5000),
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
);

/** Any bytes that a file name may have, as AIDE meets it. */
export const fileName: Arbitrary<Buffer> = fc.oneof(
  hostileText.map((text) => Buffer.from(text.replaceAll(/[\0/]/g, '_'))),
  fc
    .uint8Array({ maxLength: 60 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x5f : byte)))),
);

export const time: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '2026-11-25T10:00:00Z',
    '2026-11-25T10:00:00.123+02:00',
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ),
  fc.constantFrom('', 'soon', '2026-02-30T00:00:00Z', '+275760-09-13T00:00:00Z', '2026-11-25 10:00:00 +0000'),
);

const digest: Arbitrary<string> = fc.oneof(
  fc.constantFrom('a'.repeat(64), '0'.repeat(64)),
  fc.constantFrom('A'.repeat(64), 'a'.repeat(63), '', `${'a'.repeat(64)}\n`),
);

const count: Arbitrary<unknown> = fc.constantFrom(0, 1, 7, 255, 256, -1, 1.5, 2 ** 53, 1e300, '3', null);

/** A value with some of its fields missing, and others that nobody expects. */
export function loose(fields: Readonly<Record<string, Arbitrary<unknown>>>): Arbitrary<object> {
  const known = fc.record(fields as Record<string, Arbitrary<unknown>>, { requiredKeys: [] });
  const strange = fc.dictionary(hostileText, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 });
  return fc.oneof(
    { weight: 3, arbitrary: fc.record(fields as Record<string, Arbitrary<unknown>>) },
    { weight: 2, arbitrary: known },
    { weight: 1, arbitrary: fc.tuple(known, strange).map(([one, other]) => ({ ...one, ...other })) },
  );
}

export function asJson(value: Arbitrary<unknown>): Arbitrary<Buffer> {
  return value.map((each) => Buffer.from(JSON.stringify(each) ?? 'null'));
}

/** What AIDE did not see, as a scan or a receipt lists it. */
const unseen = loose({
  count,
  digest,
  paths: fc.array(
    loose({
      path: fc.oneof(fc.constant('/etc/passwd'), hostileText),
      what: fc.constantFrom('Path', 'Content', 'Attributes', 'Other', 'None'),
    }),
    { maxLength: 4 },
  ),
});

const scan = loose({
  kind: fc.constant('scan'),
  id: fc.oneof(fc.constant('run-1'), hostileText),
  node: fc.oneof({ weight: 4, arbitrary: fc.constant('node-1') }, { weight: 1, arbitrary: hostileText }),
  verdict: fc.constantFrom('Succeeded', 'Failed', 'Errored', 'Fine'),
  startedAt: time,
  finishedAt: time,
  exitStatus: count,
  errorMessage: hostileText,
  errorCode: hostileText,
  counts: loose({ added: count, changed: count, removed: count }),
  entries: count,
  baselineDigest: digest,
  baselineFault: fc.constantFrom('Replaced', 'Missing', 'Damaged', 'Unordered', 'None'),
  configurationDigest: digest,
  mountChanges: count,
  unseen,
  closes: fc.oneof(fc.constant('order-1'), hostileText),
  slotTaken: fc.oneof(fc.boolean(), fc.constant('true')),
});

/** What is mounted, as a receipt lists it. */
const mounts = loose({
  count,
  digest,
  mounts: fc.array(loose({ path: hostileText, type: hostileText, root: hostileText, device: hostileText }), {
    maxLength: 4,
  }),
});

const rules = loose({
  idle: fc.array(count, { maxLength: 4 }),
  links: fc.array(loose({ line: count, target: fc.oneof(fc.constant('/usr/bin/'), hostileText) }), { maxLength: 3 }),
  more: count,
});

export const receipt = loose({
  orderId: fc.oneof(fc.constant('order-1'), hostileText),
  digest,
  entries: count,
  configurationDigest: digest,
  aideVersion: hostileText,
  bootId: hostileText,
  reason: fc.constantFrom('Initial', 'Demand', 'Failed', 'Configuration', 'NodeUpdate', ''),
  adopted: fc.oneof(fc.boolean(), fc.constant('true')),
  refused: hostileText,
  mounts,
  unseen,
  rules,
  closing: loose({ scan: hostileText, gap: loose({ from: time, to: time }), uncompared: hostileText }),
  createdAt: time,
});

const message = { id: hostileText, node: fc.oneof(fc.constant('node-1'), hostileText) };

/** What a daemon might write into its `outcome` annotation, right or wrong. */
export const outcome: Arbitrary<object> = fc.oneof(
  { weight: 3, arbitrary: scan },
  { weight: 2, arbitrary: loose({ kind: fc.constant('baseline'), ...message, receipt }) },
  {
    weight: 1,
    arbitrary: loose({
      kind: fc.constant('notice'),
      ...message,
      notice: fc.constantFrom('UnorderedReinit', 'SlotTaken', 'Other'),
      at: time,
      message: hostileText,
    }),
  },
);
