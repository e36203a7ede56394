import type { Happened } from '../history.ts';
import { checkAdmission } from './admission.ts';
import { checkBaselines } from './baselines.ts';
import { checkChain } from './chain.ts';
import { checkCounts } from './counts.ts';
import { checkFaults } from './faults.ts';
import { checkKept } from './kept.ts';
import { checkOperators } from './operators.ts';
import { checkSettled } from './settled.ts';
import { checkShown } from './shown.ts';
import { checkSight } from './sight.ts';
import { checkSilence } from './silence.ts';
import { checkSlots } from './slots.ts';
import { checkStanding } from './standing.ts';
import type { Checker, Violation } from './violation.ts';

const CHECKERS: Readonly<Record<string, Checker>> = {
  shown: checkShown,
  kept: checkKept,
  baselines: checkBaselines,
  silence: checkSilence,
  sight: checkSight,
  chain: checkChain,
  counts: checkCounts,
  faults: checkFaults,
  operators: checkOperators,
  settled: checkSettled,
  standing: checkStanding,
  admission: checkAdmission,
  slots: checkSlots,
};

/** A promise that was not kept, and by which checker that was found. */
export interface Broken extends Violation {
  readonly checker: string;
}

/** Looks through a history for promises that were not kept. */
export function check(history: readonly Happened[]): Broken[] {
  return Object.entries(CHECKERS).flatMap(([checker, look]) =>
    look(history).map((violation) => ({ checker, ...violation })),
  );
}

export function describeBroken({ checker, message, entries }: Broken): string {
  return `${checker}: ${message} (entries ${entries.join(', ')})`;
}
