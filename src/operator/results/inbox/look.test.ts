import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { aResultsWorld, aScan, aSlot, aStatus } from '../../../../test/support/result-worlds.ts';
import { OUTCOME_ANNOTATION, RECORD_LABEL } from '../../../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../../api/nodestatus.ts';
import { planResults } from '../verdict/plan.ts';
import { hasToLook, saysSlotTaken, squatterIn } from './look.ts';

const made = { creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{ manager: 'kubectl-\u202ecreate' }] };
const squatted = (metadata: object = {}): ConfigMap => ({
  metadata: { name: 'aide-worker-a', namespace: 'fio', uid: 'uid-of-slot', ...made, ...metadata },
});

describe('what lies in the place of a node’s messages', () => {
  test('and carries no label of a message squats there, and is told by whom it was made, safe to show', () => {
    const who = 'made at 2026-01-01T00:00:00Z with kubectl-\\u202ecreate';
    expect(squatterIn(squatted())).toEqual({ who, removable: true });
    expect(squatterIn(aSlot(aScan()))).toBeUndefined();
  });

  test('is not removed where it is the operator’s, or is being removed already', () => {
    for (const metadata of [
      { labels: { 'file-integrity.openshift.io/aide-conf': '' } },
      { ownerReferences: [{ apiVersion: 'v1', kind: 'FileIntegrity', name: 'x', uid: 'u' }] },
      { deletionTimestamp: '2026-01-01T00:00:00Z' },
    ]) {
      expect(squatterIn(squatted(metadata))?.removable).toBe(false);
    }
    expect(squatterIn(squatted({ labels: { [RECORD_LABEL]: '' } }))).toBeUndefined();
  });

  test('and squats there is told of and removed; where it stays, the node is told to be kept from speaking', () => {
    const plan = planResults(aResultsWorld({ slot: squatted() }));
    expect(plan.remove).toEqual({ name: 'aide-worker-a', uid: 'uid-of-slot', parts: [] });
    expect(plan.events).toMatchObject([{ type: 'Warning', reason: 'SlotTaken' }]);
    expect(plan.slotTaken).toBeUndefined();
    const stays = planResults(aResultsWorld({ slot: squatted({ deletionTimestamp: '2026-01-01T00:00:00Z' }) }));
    expect(stays.remove).toBeUndefined();
    expect(stays.slotTaken).toContain('took the place of the messages of node a');
  });
});

describe('the place of a node’s messages is looked at', () => {
  const says = (type: string, status: 'True' | 'False', reason: string): FileIntegrityNodeStatus =>
    aStatus({
      status: { conditions: [{ type, status, reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
    });

  test('where its daemon says that something is in it', () => {
    const lease = (said: unknown) => ({ metadata: { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(said) } } });
    expect(saysSlotTaken(lease({ ...aScan(), slotTaken: true }))).toBe(true);
    expect(saysSlotTaken(lease({ kind: 'notice', notice: 'SlotTaken' }))).toBe(true);
    expect(saysSlotTaken(lease(aScan()))).toBe(false);
    expect(saysSlotTaken(lease({ ...aScan(), slotTaken: 'true' }))).toBe(false);
    expect(hasToLook(aStatus(), true)).toBe(true);
  });

  test('where the node is late, or was found so at the last look, and else not', () => {
    expect(hasToLook(says('Fresh', 'False', 'Late'), false)).toBe(true);
    expect(hasToLook(says('Ready', 'False', 'SlotTaken'), false)).toBe(true);
    expect(hasToLook(says('Fresh', 'True', 'Scanned'), false)).toBe(false);
    expect(hasToLook(aStatus(), false)).toBe(false);
  });
});
