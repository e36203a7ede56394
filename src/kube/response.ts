import type { IncomingMessage } from 'node:http';
import { ApiError, type Status, TooLarge } from './errors.ts';

export function isFailure(response: IncomingMessage): boolean {
  const status = response.statusCode ?? 0;
  return status < 200 || status > 299;
}

/** The body as text. @throws TooLarge when it has more bytes than that */
export async function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new TooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The error that a failed answer tells of. The body is a Status, or text of a proxy in between. */
export function apiError(response: IncomingMessage, body: string): ApiError {
  const status = response.statusCode ?? 0;
  const answer = statusIn(body) ?? { message: `HTTP status ${status}: ${body.slice(0, 200).trim()}` };
  // The header is in seconds. (Its other form, a date, no API server sends.)
  const seconds = Number(response.headers['retry-after'] ?? answer.details?.retryAfterSeconds ?? Number.NaN);
  return new ApiError(status, answer, Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined);
}

function statusIn(body: string): Status | undefined {
  try {
    const value = JSON.parse(body) as Status | null;
    return value?.kind === 'Status' ? value : undefined;
  } catch {
    return undefined;
  }
}
