import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeBroken } from './checkers/check.ts';
import { run } from './run.ts';
import { makeSteps } from './steps.ts';

// Both have a control plane of their own: its API server is killed. A second try would hide what the first one found.
test.each([
  ['a fixed seed', 20_261_125],
  ['a random seed', Math.floor(Math.random() * 2 ** 31)],
])('whatever happens, every promise is kept: %s (%i)', { retry: 0, timeout: 240_000 }, async (_, seed) => {
  const file = join(mkdtempSync(join(tmpdir(), 'fio-history-')), `${seed}.jsonl`);
  const steps = makeSteps(seed, 150);
  console.log(`history: seed ${seed}, ${steps.length} steps: ${file}`);
  const result = await run({ seed, steps, file, quietEvery: 75, pauseMs: 40, tell: () => {} });
  expect(result.violations.map(describeBroken)).toEqual([]);
});
