import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeBroken } from './checkers/check.ts';
import { run } from './run.ts';
import { makeSteps } from './steps.ts';

// The gate judges each change by the same steps; `npm run history` tries new ones.
const SEED = 20_261_125;
const STEPS = 300;

// With a control plane of its own, since its API server is killed. A second try would hide what the first one found.
test('whatever happens, every promise is kept', { retry: 0, timeout: 300_000 }, async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'fio-history-')), `${SEED}.jsonl`);
  console.log(`history: ${STEPS} steps of seed ${SEED}; again: npm run history -- --replay ${file}`);
  const steps = makeSteps(SEED, STEPS);
  const result = await run({ seed: SEED, steps, file, quietEvery: STEPS / 2, pauseMs: 40, tell: () => {} });
  expect(result.violations.map(describeBroken)).toEqual([]);
});
