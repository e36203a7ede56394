import type { Client } from './client.ts';
import type { KubeObject } from './types.ts';

export interface RecorderOptions {
  /** Who reports, as `kubectl describe` shows under From, e.g. `file-integrity-operator`. */
  component: string;
  /** Of events about cluster-wide objects; default `default`. */
  namespace?: string;
  /** Told when an event could not be written. */
  onError?: (error: unknown) => void;
}

export interface EventRecorder extends AsyncDisposable {
  /**
   * Notes an event about an object: returns at once, never throws. An event that equals an earlier one raises its count.
   * `reason`: CamelCase, at most 128 characters. `message`: cut at 1024 bytes.
   */
  record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Waits until all is written, at most so long (default 5 000 ms). */
  flush(timeoutMs?: number): Promise<void>;
}

export declare function createRecorder(client: Client, options: RecorderOptions): EventRecorder;
