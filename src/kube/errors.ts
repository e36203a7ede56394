import { FioError } from '../lib/errors.ts';

/** One reason out of `details.causes` of a Status: what was wrong with which field. */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** meta/v1 Status, as the API server answers when it refuses, and as an `ERROR` watch event carries it. */
export interface Status {
  kind?: string;
  status?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: { name?: string; kind?: string; causes?: StatusCause[]; retryAfterSeconds?: number };
}

/** The API server answered, and the answer was no. Code `KUBE_API`; the message is the Status's. */
export class ApiError extends FioError {
  /** HTTP status, e.g. 409. */
  readonly status: number;
  /** The Status's reason, e.g. `Conflict`, `AlreadyExists`; `Unknown` when the answer was no Status. */
  readonly reason: string;
  /** What was wrong with which field, as validation and apply conflicts say it; empty otherwise. */
  readonly causes: readonly StatusCause[];
  /** How long the server asked to wait before the next try, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, answer: Status, retryAfterMs?: number) {
    super('KUBE_API', textOf(answer.message) ?? `The API server answered with HTTP status ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.reason = textOf(answer.reason) ?? 'Unknown';
    this.causes = causesOf(answer.details);
    this.retryAfterMs = retryAfterMs;
  }
}

/** What answers may be a proxy's: it need not look like a Status. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function causesOf(details: unknown): StatusCause[] {
  const causes: unknown = (details as Status['details'] | null | undefined)?.causes;
  return Array.isArray(causes) ? causes.filter((cause) => typeof cause === 'object' && cause !== null) : [];
}

/** An answer that has more bytes than are read. Code `KUBE_RESPONSE_INVALID`. */
export class TooLarge extends FioError {
  constructor(maxBytes: number) {
    super('KUBE_RESPONSE_INVALID', `The API server answered with more than ${maxBytes} bytes`);
    this.name = 'TooLarge';
  }
}

/** The object, its namespace or its resource type does not exist. */
export function isNotFound(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 404;
}

/** Somebody else wrote in between, or (apply without force) another manager owns a field. Not `isAlreadyExists`. */
export function isConflict(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 409 && error.reason !== 'AlreadyExists';
}

/** A create found an object of that name. */
export function isAlreadyExists(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 409 && error.reason === 'AlreadyExists';
}

/** The resource version or the continue token is too old: list again from the start. */
export function isGone(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}

/** The user may not do that. */
export function isForbidden(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 403;
}

/** The API server says that an object is not valid, too large or not allowed: it will say so again. */
export function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && [400, 403, 413, 422].includes(error.status);
}

/** No answer: refused, cut off, timed out, name not resolved, certificate not trusted. The request may have been carried out. */
export function isUnreachable(error: unknown): error is FioError {
  return error instanceof FioError && error.code === 'KUBE_UNREACHABLE';
}
