import type { Happened } from '../history.ts';
import { type Of, ofType, type Violation, violation } from './violation.ts';

/** Between what an operator sees and when it was, in milliseconds. */
const SLACK_MS = 10_000;
/** The operator keeps the last 50 periods. */
const KEPT = 20;

/**
 * What the operator says of its admission policies is true: `AdmissionEnforced` is never True for long while a binding is away,
 * and each time that one was away is on record, whether an operator looked then or not.
 */
export function checkAdmission(history: readonly Happened[]): Violation[] {
  const absences = absencesIn(history);
  return [...checkVersions(history, absences), ...checkQuiet(history, absences)];
}

/** A binding from when it was taken away to when it was there again. */
interface Absence {
  readonly away: Of<'policy'>;
  readonly back: Of<'policy'> | undefined;
}

function absencesIn(history: readonly Happened[]): Absence[] {
  const events = ofType(history, 'policy');
  return events.flatMap((away, index) => {
    if (away.what !== 'away') return [];
    const back = events.slice(index).find(({ what, binding }) => what === 'back' && binding === away.binding);
    return [{ away, back }];
  });
}

/** An operator that says True anew has looked; one that does not look, the quiet points tell. */
function checkVersions(history: readonly Happened[], absences: readonly Absence[]): Violation[] {
  const violations: Violation[] = [];
  let before: string | undefined;
  for (const version of ofType(history, 'integrity')) {
    const says = enforcedIn(version.integrity);
    if (says === 'True' && before !== 'True') {
      for (const { away, back } of absences) {
        const isOver = back !== undefined && back.n < version.n;
        if (isOver || version.time < away.time + SLACK_MS) continue;
        const seconds = Math.round((version.time - away.time) / 1000);
        const message = `AdmissionEnforced became True, and ${away.binding} was away for ${seconds} s`;
        violations.push(violation(message, away, version));
      }
    }
    before = says;
  }
  return violations;
}

function checkQuiet(history: readonly Happened[], absences: readonly Absence[]): Violation[] {
  return ofType(history, 'quiet').flatMap((quiet) => {
    if (quiet.unsettled !== undefined || quiet.policiesAway === undefined) return [];
    const expected = quiet.policiesAway.length > 0 ? 'False' : 'True';
    const said = quiet.integrities.flatMap((integrity) => {
      const says = enforcedIn(integrity);
      if (says === expected) return [];
      const away = quiet.policiesAway?.join() || 'none';
      return [violation(`AdmissionEnforced is ${says}, and away are: ${away}`, quiet)];
    });
    const known = absences.filter(({ away }) => away.n < quiet.n).slice(-KEPT);
    const lost = known.filter((absence) => !quiet.admission?.some((period) => tells(period, absence)));
    return [
      ...said,
      ...lost.map(({ away }) => violation(`${away.binding} was away, which is not on record`, away, quiet)),
    ];
  });
}

function tells(
  { from, until, faults }: NonNullable<Of<'quiet'>['admission']>[number],
  { away, back }: Absence,
): boolean {
  const begins = Date.parse(from) - SLACK_MS;
  const ends = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until) + SLACK_MS;
  const meets = begins <= (back?.time ?? Number.POSITIVE_INFINITY) && ends >= away.time;
  return meets && faults.some((fault) => fault.includes(away.binding));
}

function enforcedIn({ status }: Of<'integrity'>['integrity']): string | undefined {
  return status?.conditions?.find(({ type }) => type === 'AdmissionEnforced')?.status;
}
