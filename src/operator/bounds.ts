import type { FileIntegritySpec } from '../api/fileintegrity.ts';
import { FioError } from '../lib/errors.ts';

/** Seconds that a FileIntegrity may have between scans, unless an administrator allows more: a day. */
export const LONGEST_PAUSE_SECONDS = 86_400;

/** How many times the longest pause a limit may be: two pauses without a scan, and as long again for the scans. */
const LIMITS_FACTOR = 3;

export interface Bounded<Spec> {
  /** As it counts. */
  readonly spec: Spec;
  /** What asks for more than it gets, each in a sentence. */
  readonly exceeded: readonly string[];
}

/**
 * Who may edit a FileIntegrity could give up the watch without a word: by a pause, or a limit, of a thousand years. What is
 * longer than an administrator allows counts as what they allow. The object itself stays as it is.
 * @param longest the longest pause, in seconds
 */
export function bounded<Spec extends Partial<FileIntegritySpec>>(spec: Spec, longest: number): Bounded<Spec> {
  const exceeded: string[] = [];
  const within = (where: string, value: unknown, most: number): unknown => {
    if (typeof value !== 'number' || !(value > most)) return value;
    exceeded.push(`${where} is ${value} seconds, and counts as the most that is allowed, ${most}`);
    return most;
  };
  const { config, staleAfter, holdLimit } = spec;
  const limited: Record<string, unknown> = {
    ...(config && {
      config: {
        ...config,
        gracePeriod: within('spec.config.gracePeriod', config.gracePeriod, longest),
        initialDelay: within('spec.config.initialDelay', config.initialDelay, longest),
      },
    }),
    ...(staleAfter !== undefined && { staleAfter: within('spec.staleAfter', staleAfter, LIMITS_FACTOR * longest) }),
    ...(holdLimit !== undefined && { holdLimit: within('spec.holdLimit', holdLimit, LIMITS_FACTOR * longest) }),
  };
  return exceeded.length === 0 ? { spec, exceeded } : { spec: { ...spec, ...limited }, exceeded };
}

/**
 * Reads `MAX_GRACE_PERIOD_SECONDS`.
 * @throws FioError `USAGE`
 */
export function longestPause(text: string | undefined): number {
  if (text === undefined || text === '') return LONGEST_PAUSE_SECONDS;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds >= 10) return seconds;
  throw new FioError('USAGE', `MAX_GRACE_PERIOD_SECONDS has to be a number of seconds, 10 or more: ${text}`);
}
