import type { FinishedOutcome } from '../kube/controller.ts';
import { isConflict } from '../kube/errors.ts';
import { explain, FioError } from '../lib/errors.ts';
import { printable } from '../lib/text.ts';
import type { ReconcileResult } from './metrics/runtime.ts';
import type { Tools } from './tools.ts';

/** The one place where the end of a reconcile becomes a line in the log and a count. */
export function reportOutcome(
  { log, meters, runtime }: Pick<Tools, 'log' | 'meters' | 'runtime'>,
  controller: string,
  key: string,
  outcome: FinishedOutcome,
  durationMs: number,
): void {
  const facts = { controller, key: printable(key, 512), durationMs: Math.round(durationMs) };
  runtime.reconciled(controller, resultOf(outcome), durationMs / 1000);
  switch (outcome.kind) {
    case 'done':
      log.trace(facts, 'done');
      break;
    case 'waiting':
      log.debug({ ...facts, requeueAfterMs: outcome.requeueAfterMs }, `waits: ${printable(outcome.reason)}`);
      break;
    case 'stalled':
      meters.error(outcome.reason);
      log.warn({ ...facts, reason: outcome.reason }, printable(outcome.message));
      break;
    case 'failed': {
      const retryAfterMs = Math.round(outcome.retryAfterMs);
      // Somebody else wrote in between: looked at again with what is there now, which is no error.
      if (isConflict(outcome.error)) {
        log.debug({ ...facts, retryAfterMs }, 'conflict');
        break;
      }
      const code = outcome.error instanceof FioError ? outcome.error.code : 'UNEXPECTED';
      meters.error(code);
      log.error({ ...facts, code, retryAfterMs }, printable(explain(outcome.error), 2048));
    }
  }
}

function resultOf({ kind }: FinishedOutcome): ReconcileResult {
  if (kind === 'done') return 'success';
  return kind === 'waiting' ? 'requeue_after' : 'error';
}
