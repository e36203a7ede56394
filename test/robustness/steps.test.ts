import { expect, test } from 'vitest';
import { makeSteps } from './steps.ts';

test('the same seed makes the same steps, and a longer list begins like a shorter one', () => {
  expect(makeSteps(42, 500)).toEqual(makeSteps(42, 500));
  expect(makeSteps(42, 1000).slice(0, 500)).toEqual(makeSteps(42, 500));
  expect(makeSteps(43, 500)).not.toEqual(makeSteps(42, 500));
});

test('every kind of step is among ten thousand', () => {
  const kinds = new Set(makeSteps(1, 10_000).map((step) => step.do));
  expect([...kinds].sort()).toEqual(
    [
      'advance',
      'change-leader',
      'cut-node',
      'cut-operator',
      'daemon-down',
      'daemon-up',
      'edit-integrity',
      'forget',
      'freeze-daemon',
      'heal-node',
      'hold',
      'intrude',
      'join',
      'kill-api-server',
      'kill-daemon',
      'kill-operator',
      'leave',
      'lose-answer',
      'lose-operator-answers',
      'mount',
      'partition-node',
      'plant',
      'policy-away',
      'policy-back',
      'reinit',
      'reinit-on-failed',
      'relabel',
      'release',
      'replace',
      'restart-operator',
      'revert',
      'scan',
      'scribble',
      'squat',
      'taint',
      'thaw-daemon',
      'update-begins',
      'update-ends',
    ].sort(),
  );
});
