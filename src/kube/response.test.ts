import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { apiError, readBody } from './response.ts';

function answer(statusCode: number, headers: Record<string, string>, body: string): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  Object.assign(message, { statusCode, headers });
  message.push(body);
  message.push(null);
  return message;
}

test('an answer that is larger than allowed is refused', async () => {
  expect(await readBody(answer(200, {}, '12345'), 5)).toBe('12345');
  await expect(readBody(answer(200, {}, '123456'), 5)).rejects.toMatchObject({ code: 'KUBE_RESPONSE_INVALID' });
});

test('a Status gives reason, message, causes and the time to wait', () => {
  const causes = [{ field: 'spec.x', message: 'no', reason: 'FieldValueInvalid' }];
  const body = JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'is invalid', details: { causes } });
  expect(apiError(answer(422, { 'retry-after': '3' }, ''), body)).toMatchObject({
    code: 'KUBE_API',
    status: 422,
    reason: 'Invalid',
    message: 'is invalid',
    causes,
    retryAfterMs: 3_000,
  });
});

test('a Status whose fields are of other kinds gives an error that can be told', () => {
  const body = JSON.stringify({
    kind: 'Status',
    message: {},
    reason: 7,
    details: { causes: [null, 'x', { field: 'y' }] },
  });
  expect(apiError(answer(500, {}, ''), body)).toMatchObject({
    message: 'The API server answered with HTTP status 500',
    reason: 'Unknown',
    causes: [{ field: 'y' }],
  });
  expect(apiError(answer(500, {}, ''), '{"kind":"Status","details":{"causes":{}}}').causes).toEqual([]);
});

test.each(['<html>bad gateway</html>', 'null', '[]', '{"kind":"Pod"}', ''])(
  'a body that is no Status (%j) still gives an error',
  (body) => {
    expect(apiError(answer(502, {}, ''), body)).toMatchObject({
      status: 502,
      reason: 'Unknown',
      retryAfterMs: undefined,
    });
  },
);
