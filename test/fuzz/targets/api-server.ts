import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { ApiError } from '../../../src/kube/errors.ts';
import { parse } from '../../../src/kube/request.ts';
import { apiError, readBody } from '../../../src/kube/response.ts';
import type { KubeObject } from '../../../src/kube/types.ts';
import { startWatching, stepWatch } from '../../../src/kube/watch-machine.ts';
import { parseEvent, splitLines } from '../../../src/kube/watch-stream.ts';
import { explain, FioError } from '../../../src/lib/errors.ts';
import { asJson, hostileText, loose } from '../arbitraries.ts';
import { inputs } from '../fixtures.ts';
import { chunksOf } from '../properties.ts';
import type { Target } from '../target.ts';

// What an API server says, or a proxy in between: objects in it hold texts of nodes.

const STATUS = {
  kind: 'Status',
  code: 410,
  reason: 'Expired',
  message: 'too old',
  details: { causes: [{ reason: 'x' }], retryAfterSeconds: 3 },
};
const EVENT = { type: 'ADDED', object: { metadata: { name: 'a', resourceVersion: '7' } } };

const status = loose({
  kind: fc.constantFrom('Status', 'status', 1),
  code: fc.constantFrom(410, 429, 500, '410', null),
  reason: fc.oneof(fc.constantFrom('Expired', 'Gone', 'Conflict'), fc.jsonValue()),
  message: fc.oneof(hostileText, fc.jsonValue()),
  details: fc.oneof(
    fc.jsonValue(),
    loose({ causes: fc.jsonValue(), retryAfterSeconds: fc.constantFrom(1, -1, '7', 1e99) }),
  ),
});

/** The lines of a watch, and what is made of them. */
const watch: Target = {
  name: 'kube-watch',
  seeds: () =>
    inputs(
      `${JSON.stringify(EVENT)}\n${JSON.stringify({ ...EVENT, type: 'BOOKMARK' })}\n${JSON.stringify({ type: 'ERROR', object: STATUS })}\n`,
      '{"type":"DELETED","object":{}}\n',
    ),
  structured: fc
    .array(
      loose({
        type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR', 'X'),
        object: fc.oneof(
          status,
          fc.jsonValue(),
          loose({
            metadata: fc.oneof(
              fc.jsonValue(),
              loose({ name: hostileText, resourceVersion: fc.constantFrom('7', '', 7) }),
            ),
          }),
        ),
      }),
      { maxLength: 6 },
    )
    .map((events) => Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''))),
  words: [
    `${JSON.stringify(EVENT)}\n`,
    `${JSON.stringify({ type: 'ERROR', object: STATUS })}\n`,
    '"type":"ERROR"',
    '\n',
  ],
  async run(bytes) {
    const limit = 4096;
    const whole = await linesOf([bytes], limit);
    assert.deepEqual(await linesOf(chunksOf(bytes), limit), whole, 'it depends on how the bytes come');
    let state = startWatching<KubeObject>().state;
    state = stepWatch(state, { type: 'page', page: { metadata: { resourceVersion: '1' }, items: [] } }, () => 0).state;
    for (const line of whole.lines) {
      assert.ok(Buffer.byteLength(line) <= 3 * limit);
      const event = eventOf(line);
      if (event === undefined) continue;
      const step = stepWatch(state, { type: 'line', event }, () => 0.5);
      if (step.error !== undefined) assert.equal(typeof explain(step.error), 'string');
      if (step.next.do === 'pause')
        assert.ok(step.next.ms >= 0 && step.next.ms <= 60_000, `it pauses ${step.next.ms} ms`);
      state = step.state;
    }
  },
};

async function linesOf(chunks: readonly Buffer[], limit: number): Promise<{ lines: string[]; code?: string }> {
  const lines: string[] = [];
  async function* source() {
    yield* chunks;
  }
  try {
    for await (const line of splitLines(source(), limit)) lines.push(line);
    return { lines };
  } catch (error) {
    if (!(error instanceof FioError)) throw error;
    return { lines, code: error.code };
  }
}

function eventOf(line: string) {
  try {
    return parseEvent<KubeObject>(line);
  } catch (error) {
    if (!(error instanceof FioError)) throw error;
    assert.equal(error.code, 'KUBE_RESPONSE_INVALID');
    return undefined;
  }
}

/** The body of an answer, one that says no among them. */
const answer: Target = {
  name: 'kube-answer',
  seeds: () => inputs(STATUS, '<html>502 Bad Gateway</html>', 'null', '{"kind":"Status"}', '"Status"'),
  structured: asJson(status),
  words: ['"kind":"Status"', '"message":{}', '"details":null', '"causes":{}', '"retryAfterSeconds":'],
  async run(bytes) {
    async function* source() {
      yield* chunksOf(bytes);
    }
    const body = await readBody(source() as unknown as IncomingMessage, 8192);
    assert.equal(body, bytes.toString('utf8'));
    const response = { statusCode: 500, headers: {} } as unknown as IncomingMessage;
    const error = apiError(response, body);
    assert.ok(error instanceof ApiError);
    for (const text of [error.message, error.reason, explain(error)]) assert.equal(typeof text, 'string');
    for (const cause of error.causes) assert.equal(typeof cause, 'object');
    assert.ok(error.retryAfterMs === undefined || error.retryAfterMs >= 0);
    parse(body);
  },
};

export const apiServerTargets: readonly Target[] = [watch, answer];
