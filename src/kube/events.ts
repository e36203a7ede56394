import type { Event } from 'kubernetes-types/core/v1.d.ts';
import { FioError } from '../lib/errors.ts';
import { sleep } from '../lib/signal.ts';
import { type Backoff, backoffMs } from './backoff.ts';
import type { Client } from './client.ts';
import { ApiError, isNotFound } from './errors.ts';
import { events } from './resources.ts';
import type { KubeObject } from './types.ts';

export interface RecorderOptions {
  /** Who reports, as `kubectl describe` shows under From, e.g. `file-integrity-operator`. */
  component: string;
  /** Which process of that kind, e.g. the pod's name. */
  instance?: string;
  /** Of events about cluster-wide objects; default `default`, where `kubectl describe` looks for them. */
  namespace?: string;
  /** How long what waits is still written when it is disposed of, in milliseconds; default 1000. */
  flushMs?: number;
  /** Told when an event could not be written. */
  onError?: (error: unknown) => void;
}

export interface EventRecorder extends AsyncDisposable {
  /**
   * Notes an event about an object: returns at once, never throws. An event that equals an earlier one raises its count.
   *
   * `about` needs apiVersion, kind and name. `reason`: CamelCase, cut at 128 characters. `message`: cut at 1024 bytes;
   * untrusted parts of it have to be `printable` already.
   */
  record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Waits until all is written, at most so long (default 5 000 ms). */
  flush(timeoutMs?: number): Promise<void>;
}

// The API server refuses longer ones (core/v1 event validation).
const MAX_MESSAGE_BYTES = 1024;
const MAX_REASON_LENGTH = 128;
// As many as client-go's correlator remembers to count repetitions with.
const MAX_REMEMBERED = 4096;
// Waiting to be written: an API server that is away must not cost memory without end.
const MAX_PENDING = 1000;
const BACKOFF: Backoff = { firstMs: 500, maxMs: 30_000 };

/** Writes one event at a time, the oldest first, and goes on trying while the API server is away, until it is disposed of. */
export function createRecorder(client: Client, options: RecorderOptions): EventRecorder {
  const { onError, flushMs = 1000 } = options;
  /** By what makes two events equal. `count`: since it was last written. */
  const pending = new Map<string, { event: Event; count: number }>();
  /** What has been written, the least recently used first. */
  const written = new Map<string, Event>();
  const stopping = new AbortController();
  let writer: Promise<void> | undefined;

  function record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    if (stopping.signal.aborted) return;
    try {
      const event = eventOf(about, type, reason, message, options);
      const key = JSON.stringify([event.metadata.namespace, event.involvedObject, type, event.reason, event.message]);
      const earlier = pending.get(key);
      if (earlier) {
        earlier.count++;
        earlier.event = { ...earlier.event, lastTimestamp: event.lastTimestamp ?? '' };
        return;
      }
      if (pending.size >= MAX_PENDING) dropOldest();
      pending.set(key, { event, count: 1 });
      writer ??= writeAll();
    } catch (error) {
      onError?.(error);
    }
  }

  function dropOldest(): void {
    const [oldest] = pending.keys();
    if (oldest === undefined) return;
    pending.delete(oldest);
    onError?.(
      new FioError('KUBE_EVENTS_DROPPED', `More than ${MAX_PENDING} events wait to be written; one was dropped`),
    );
  }

  async function writeAll(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const [first] = pending;
      if (!first) {
        writer = undefined; // here, where nothing can be recorded in between
        return;
      }
      const [key, { event, count }] = first;
      try {
        await write(key, event, count);
        failures = 0;
      } catch (error) {
        if (stopping.signal.aborted) return;
        onError?.(error);
        if (!isFinal(error)) {
          await sleep(backoffMs(BACKOFF, ++failures, Math.random()), stopping.signal);
          continue;
        }
      }
      const now = pending.get(key);
      if (now && now.count > count) now.count -= count;
      else pending.delete(key);
    }
  }

  async function write(key: string, event: Event, count: number): Promise<void> {
    const { signal } = stopping;
    const earlier = written.get(key);
    written.delete(key);
    if (earlier) {
      const { namespace = '', name = '' } = earlier.metadata;
      const patch = { count: (earlier.count ?? 1) + count, lastTimestamp: event.lastTimestamp };
      try {
        remember(key, await client.patch(events, { namespace, name }, patch, { type: 'merge', signal }));
        return;
      } catch (error) {
        if (!isNotFound(error)) {
          written.set(key, earlier);
          throw error;
        }
        // Events live for an hour; the next equal one is a new one.
      }
    }
    remember(key, await client.create(events, { ...event, count }, { signal }));
  }

  function remember(key: string, { metadata, count }: Event): void {
    const { name = '', namespace = '' } = metadata;
    written.set(key, { metadata: { name, namespace }, involvedObject: {}, count: count ?? 1 });
    const [oldest] = written.keys();
    if (written.size > MAX_REMEMBERED && oldest !== undefined) written.delete(oldest);
  }

  async function flush(timeoutMs = 5_000): Promise<void> {
    const timeout = new AbortController();
    await Promise.race([writer, sleep(timeoutMs, timeout.signal)]);
    timeout.abort();
  }

  return {
    record,
    flush,
    async [Symbol.asyncDispose]() {
      await flush(flushMs);
      stopping.abort();
      await writer;
    },
  };
}

/** The server will not take it, however often it is offered. */
function isFinal(error: unknown): boolean {
  return error instanceof ApiError && error.status < 500 && error.status !== 429 && error.status !== 401;
}

function eventOf(about: KubeObject, type: string, reason: string, message: string, options: RecorderOptions): Event {
  const { component, instance, namespace: fallback = 'default' } = options;
  const { apiVersion = '', kind = '', metadata = {} } = about;
  const { namespace, name = '', uid } = metadata;
  if (!apiVersion || !kind || !name) throw new TypeError('An event needs an object with apiVersion, kind and name');
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    metadata: { namespace: namespace ?? fallback, name: `${name.slice(0, 200)}.${uniquePart()}` },
    involvedObject: { apiVersion, kind, name, ...(namespace && { namespace }), ...(uid && { uid }) },
    type,
    reason: reason.slice(0, MAX_REASON_LENGTH),
    message: cutBytes(message, MAX_MESSAGE_BYTES),
    source: { component },
    reportingComponent: component,
    reportingInstance: instance ?? component,
    firstTimestamp: now,
    lastTimestamp: now,
  };
}

/** Unlikely to be used twice for one object: the time and 48 random bits. */
function uniquePart(): string {
  const random = Math.floor(Math.random() * 2 ** 48);
  return Date.now().toString(16) + random.toString(16).padStart(12, '0');
}

/** At most so many bytes of UTF-8, never half a character, with `…` where something was cut. */
export function cutBytes(text: string, maxBytes: number): string {
  const whole = text.toWellFormed();
  if (Buffer.byteLength(whole) <= maxBytes) return whole;
  const bytes = Buffer.from(whole);
  let end = maxBytes - Buffer.byteLength('…');
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--; // not between the bytes of one character
  return `${bytes.toString('utf8', 0, end)}…`;
}
