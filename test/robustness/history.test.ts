import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeBroken } from './checkers/check.ts';
import { run } from './run.ts';
import { makeSteps } from './steps.ts';

const FIXED_SEED = 20_261_125;
const STEPS = 150;

// With a control plane of its own, since its API server is killed. A second try would hide what the first one found.
test('whatever happens, every promise is kept', { retry: 0, timeout: 300_000 }, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const file = join(mkdtempSync(join(tmpdir(), 'fio-history-')), `${seed}.jsonl`);
  const steps = [...makeSteps(FIXED_SEED, STEPS), ...makeSteps(seed, STEPS)];
  console.log(
    `history: ${STEPS} steps of seed ${FIXED_SEED} and of seed ${seed}; again: npm run history -- --replay ${file}`,
  );
  const result = await run({ seed, steps, file, quietEvery: STEPS, pauseMs: 40, tell: () => {} });
  expect(result.violations.map(describeBroken)).toEqual([]);
});
