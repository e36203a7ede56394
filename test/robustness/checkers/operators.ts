import type { Happened } from '../history.ts';
import { ofType, type Violation, violation } from './violation.ts';

/** An operator ends by itself only when it cannot be sure any more that it leads. */
export function checkOperators(history: readonly Happened[]): Violation[] {
  return ofType(history, 'operator')
    .filter(({ what, said = '' }) => what === 'ended' && !said.includes('KUBE_LEADERSHIP_LOST'))
    .map((event) => violation(`An operator ended by itself: ${event.said}`, event));
}
