import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { captureEnd } from '../../../src/aide/capture.ts';
import { decodeBytes } from '../../../src/aide/json-stream.ts';
import { showPath } from '../../../src/aide/path.ts';
import { printable } from '../../../src/lib/text.ts';
import { fileName } from '../arbitraries.ts';
import { inputs } from '../fixtures.ts';
import { bytesShown, checkSafe, chunksOf, unprintable } from '../properties.ts';
import type { Target } from '../target.ts';

const TEXTS = inputs(
  ...['/etc/passwd', '/etc/a\nb', '\x1b[2J', '\u202egpj.exe', 'a\\x0ab', '\\\\', 'é\u0085\u00ad', '💀\u{e0041}'],
  Buffer.from([0x2f, 0xff, 0xc3, 0x28, 0xf0, 0x9f, 0x92, 0x80, 0x80, 0xed, 0xa0, 0x80, 0x5c]),
);

/** Text of a node on its way to a terminal, a log or an event. */
const shownText: Target = {
  name: 'text-printable',
  seeds: () => TEXTS,
  structured: fileName,
  run(bytes) {
    // As UTF-16 code units, too: lone surrogates come out of JSON.
    for (const text of [bytes.toString('utf8'), bytes.toString('utf16le'), decodeBytes(bytes)]) {
      const whole = printable(text, Number.POSITIVE_INFINITY);
      checkSafe(whole);
      assert.equal(unprintable(whole), text.toWellFormed(), 'two texts are shown alike');
      for (const limit of [1, 2, 17, 1024]) checkSafe(printable(text, limit), limit);
    }
  },
};

/** A file name, of any bytes. */
const shownPath: Target = {
  name: 'text-path',
  seeds: () => TEXTS,
  structured: fileName,
  run(bytes) {
    const shown = showPath(decodeBytes(bytes), Number.POSITIVE_INFINITY);
    checkSafe(shown);
    assert.deepEqual(bytesShown(shown), bytes, 'two names are shown alike');
    for (const limit of [1, 17, 4096]) checkSafe(showPath(decodeBytes(bytes), limit), limit);
  },
};

/** The end of what a program says. */
const captured: Target = {
  name: 'text-capture',
  seeds: () => inputs('one\ntwo\nthree\n', 'a'.repeat(3000), 'ERROR: x\n'.repeat(400)),
  async run(bytes) {
    const stream = new PassThrough();
    const limit = 256;
    const capture = captureEnd(stream, limit);
    for (const chunk of chunksOf(bytes)) stream.write(chunk);
    stream.end();
    await stream.toArray().catch(() => []);
    const text = capture.text();
    // A first character that lost its beginning shows as U+FFFD.
    const isText = bytes.equals(Buffer.from(bytes.toString('utf8')));
    if (isText) assert.ok(bytes.toString('utf8').endsWith(text.replace(/^\ufffd+/, '')));
    assert.ok(text.length <= limit, `${text.length} characters were kept`);
    assert.equal(capture.cut(), bytes.length > limit);
  },
};

export const textTargets: readonly Target[] = [shownText, shownPath, captured];
