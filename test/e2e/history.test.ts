import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REINIT_ANNOTATION } from '../../src/api/keys.ts';
import { check, describeBroken } from '../robustness/checkers/check.ts';
import { createRecorder, type Recorder } from '../robustness/history.ts';
import { makeRealSteps, RealWorld } from '../robustness/real-world.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { canHaveNodes } from '../support/nodes.ts';

const NODES = ['worker-1', 'worker-2'] as const;
const STEPS = 100;
const SEED = 1_833_356_184;
/** Between two steps, in milliseconds: a scan begins some 10 s after the one before. */
const PAUSE_MS = 1500;

describe.skipIf(!canHaveNodes())('a history on real nodes', () => {
  let stage: E2eStage;
  let integrity: Integrity;
  let recorder: Recorder;
  let world: RealWorld;

  beforeAll(async () => {
    stage = await openStage();
    recorder = createRecorder(join(mkdtempSync(join(tmpdir(), 'fio-history-')), 'real.jsonl'));
    integrity = await createIntegrity(stage, 'history', { staleAfter: 60, history: { failedResults: 20 } });
    world = new RealWorld(stage, integrity, NODES, recorder);
    for (const node of NODES) await integrity.condition(node, 'Succeeded');
  });
  afterAll(async () => {
    await world?.close();
    await recorder?.close();
    for (const node of NODES) {
      for (let file = 0; file < 5; file += 1) await stage?.node(node).removeFile(`/etc/history-${file}`);
    }
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  // The gate judges each change by the same steps; the environment variable tries others.
  test('whatever happens, every promise is kept', { timeout: 480_000, retry: 0 }, async () => {
    const seed = Number(process.env.FIO_HISTORY_SEED ?? SEED);
    console.log(`history: seed ${seed} (FIO_HISTORY_SEED), ${STEPS} steps: ${recorder.file}`);
    recorder.record({ type: 'begin', seed, steps: STEPS, staleAfter: 60 });
    for (const [index, step] of makeRealSteps(seed, STEPS, NODES).entries()) {
      recorder.step = index + 1;
      await world.act(step);
      recorder.record({ type: 'note', text: JSON.stringify(step) });
      await delay(PAUSE_MS);
    }
    await world.quiet(false);
    await integrity.annotate(REINIT_ANNOTATION, '');
    await world.quiet(true);
    expect(check(recorder.events).map(describeBroken)).toEqual([]);
  });
});
