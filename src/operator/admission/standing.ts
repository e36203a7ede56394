import { printable } from '../../lib/text.ts';
import type { Statement } from '../conditions.ts';

/** The config map, in the operator's namespace, that says when the policies were not in force. */
export const ADMISSION_RECORD = 'file-integrity-admission';

/** How the admission policies in the cluster are, beside those that are shipped. */
export type Standing =
  | { readonly is: 'enforced'; readonly policies: number }
  /** Each fault as a person reads it; at least one. */
  | { readonly is: 'not-enforced'; readonly faults: readonly string[] }
  /** They cannot be read; why. */
  | { readonly is: 'unknown'; readonly reason: 'NotRead' | 'Unreadable'; readonly message: string };

/** As much as a condition and an event can show. */
const SHOWN = 6;

export function tellFaults(faults: readonly string[]): string {
  const more = faults.length > SHOWN ? `; and ${faults.length - SHOWN} more` : '';
  return `${faults.slice(0, SHOWN).join('; ')}${more}`;
}

/** The condition `AdmissionEnforced` of every FileIntegrity. */
export function admissionEnforced(standing: Standing): Statement {
  const type = 'AdmissionEnforced';
  switch (standing.is) {
    case 'enforced': {
      const message = `All ${standing.policies} admission policies and bindings that belong to this operator are as they are shipped.`;
      return { type, status: 'True', reason: 'Enforced', message };
    }
    case 'not-enforced': {
      const message =
        `Of the admission policies that belong to this operator: ${tellFaults(standing.faults)}. What they refuse is possible ` +
        `meanwhile; since when, the config map ${ADMISSION_RECORD} says. Apply deploy/ again.`;
      return { type, status: 'False', reason: 'NotEnforced', message };
    }
    case 'unknown': {
      const message = `Nobody knows whether the admission policies are in force: ${printable(standing.message, 512)}`;
      return { type, status: 'Unknown', reason: standing.reason, message };
    }
  }
}
