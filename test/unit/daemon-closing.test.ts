import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BaselineOrder, BaselineReceipt } from '../../src/api/protocol.ts';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { closeBaseline } from '../../src/daemon/baselines/closing.ts';
import { LOCK_FILE } from '../../src/daemon/disk/lock.ts';
import type { ClosingEnd, ClosingFacts, ReplacedBaseline } from '../../src/daemon/machine/state.ts';
import type { EarlierConfiguration } from '../../src/daemon/sources/configuration.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, fixtureProgram, type ScratchNode } from '../support/daemon-node.ts';

const aide = await findRealAide();
const never = new AbortController().signal;

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
});
afterEach(() => node[Symbol.asyncDispose]());

interface Options {
  program?: readonly [string, ...string[]];
  baseline?: ReplacedBaseline | undefined;
  digest?: string;
  earlier?: (digest: string) => Promise<EarlierConfiguration>;
  files?: string;
}

const anOrder = (order: Partial<BaselineOrder>): BaselineOrder => ({
  id: 'order-2',
  reason: 'Demand',
  requestedAt: '2026-01-01T00:00:00Z',
  ...order,
});

async function close(order: Partial<BaselineOrder> = {}, options: Options = {}): Promise<ClosingEnd> {
  const { program = aide?.command ?? ['aide'], baseline, digest = node.configurationDigest, files } = options;
  const task = {
    id: 'run-1',
    order: anOrder(order),
    configurationDigest: digest,
    ...(baseline && { baseline }),
    earlier: options.earlier ?? (async () => ({ lacking: 'It is not kept' })),
    hostRoot: node.root,
  };
  return await closeBaseline(await node.bench(program, files), task, never);
}

async function make(
  order: Partial<BaselineOrder> = {},
  closing?: ClosingFacts,
  options: Options = {},
): Promise<BaselineReceipt> {
  const result = await carryOut(order, closing, options);
  if (result.kind !== 'made') throw new Error(`No baseline was made: ${JSON.stringify(result)}`);
  return result.receipt;
}

async function carryOut(order: Partial<BaselineOrder>, closing?: ClosingFacts, options: Options = {}) {
  const { program = aide?.command ?? ['aide'], digest = node.configurationDigest, files } = options;
  const task = {
    order: anOrder(order),
    configurationDigest: digest,
    maxBackups: 5,
    ...(closing && { closing }),
  };
  return await carryOutBaseline(await node.bench(program, files), task, never);
}

function ended(result: ClosingEnd) {
  if (result.kind !== 'ended') throw new Error(`It did not end: ${JSON.stringify(result)}`);
  return result;
}

function factsOf(result: ClosingEnd): ClosingFacts {
  const { facts, successor } = ended(result);
  const { verdict, counts, baselineFault, errorMessage, startedAt } = facts;
  return {
    scan: 'run-1',
    verdict,
    startedAt,
    ...(counts && { counts }),
    ...(baselineFault && { baselineFault }),
    ...(errorMessage !== undefined && { errorMessage }),
    ...(successor !== undefined && { successor }),
  };
}

const databaseText = async (path = node.paths.database) => gunzipSync(await readFile(path)).toString();
const files = async () => (await readdir(node.paths.directory)).filter((name) => name !== LOCK_FILE).sort();

describe.skipIf(aide === undefined)('the comparison before a new baseline', () => {
  test('finds what nobody has seen yet, and what it walked is the new baseline to the byte', async () => {
    const old = await make({ id: 'order-1' });
    await node.write('etc/app/new', 'unseen');
    const result = ended(await close({}, { baseline: old }));
    expect(result.facts).toMatchObject({
      verdict: 'Failed',
      counts: { added: 1, changed: 0, removed: 0 },
      baselineDigest: old.digest,
    });
    const report = await readFile(`${node.outbox}${result.report?.log}`, 'utf8');
    expect(report).toContain('/etc/app/new');
    // Changed in between: in no baseline, and so the next scan finds it.
    await node.write('etc/app/later', 'after the walk');
    const receipt = await make({}, factsOf(result));
    expect(receipt).toMatchObject({ orderId: 'order-2', digest: result.successor, entries: old.entries + 1 });
    expect(receipt.closing).toEqual({
      scan: 'run-1',
      verdict: 'Failed',
      counts: { added: 1, changed: 0, removed: 0 },
    });
    const text = await databaseText();
    expect(text).toContain('/etc/app/new');
    expect(text).not.toContain('/etc/app/later');
    expect(await files()).toContain('aide.receipt.json');
    expect(await files()).not.toContain('aide.db.gz.new');
  });

  test('says that nothing differs where nothing does', async () => {
    const old = await make({ id: 'order-1' });
    const result = ended(await close({}, { baseline: old }));
    expect(result).toMatchObject({ facts: { verdict: 'Succeeded' }, successor: expect.any(String) });
    expect((await make({}, factsOf(result))).closing).toEqual({ scan: 'run-1', verdict: 'Succeeded' });
  });

  test('goes by the configuration of the old baseline where another is ordered, and says what nobody can have seen', async () => {
    const old = await make({ id: 'order-1' });
    await node.write('etc/app/new', 'unseen');
    await node.write('etc/other/x', 'not watched before');
    const earlier = `${node.root}/../earlier.conf`;
    await writeFile(earlier, node.configuration);
    const other = `${node.configuration}${node.root}/etc/other p+sha512\n`;
    const digest = createHash('sha256').update(other).digest('hex');
    const asked: string[] = [];
    const options = {
      baseline: old,
      digest,
      earlier: async (wanted: string) => {
        asked.push(wanted);
        return { path: earlier };
      },
    };
    const result = ended(await close({ reason: 'Configuration' }, options));
    expect(asked).toEqual([node.configurationDigest]);
    expect(result).toMatchObject({
      configurationDigest: node.configurationDigest,
      facts: { verdict: 'Failed', counts: { added: 1, changed: 0, removed: 0 } },
    });
    expect(result.successor).toBeUndefined();
    const receipt = await make({ reason: 'Configuration' }, factsOf(result), { digest });
    expect(receipt.closing).toMatchObject({
      verdict: 'Failed',
      gap: { from: result.facts.startedAt, to: expect.any(String) },
    });
  });

  test('that lacks the old configuration says so, and the order is carried out all the same', async () => {
    const old = await make({ id: 'order-1' });
    const digest = 'e'.repeat(64);
    const result = ended(await close({}, { baseline: old, digest }));
    expect(result.facts).toMatchObject({
      verdict: 'Errored',
      errorCode: 'CLOSING_IMPOSSIBLE',
      errorMessage: 'The node could not be compared with the baseline that is replaced: It is not kept.',
    });
    const { closing } = await make({}, factsOf(result), { digest });
    expect(closing).toEqual({ scan: 'run-1', verdict: 'Errored', uncompared: result.facts.errorMessage });
  });

  test.each([
    ['Missing', () => rm(node.paths.database)],
    [
      'Replaced',
      async () => {
        await node.write('etc/app/evil', 'evil');
        await carryOutBaseline(
          await node.bench(aide?.command ?? ['aide']),
          { order: anOrder({ id: 'forged' }), configurationDigest: node.configurationDigest, maxBackups: 5 },
          never,
        );
      },
    ],
    ['Damaged', () => writeFile(node.paths.database, 'nothing of AIDE')],
  ] as const)('with a database that is %s is Failed, and no receipt says that it was verified', async (fault, harm) => {
    const old = await make({ id: 'order-1' });
    await harm();
    const result = ended(await close({}, { baseline: old }));
    expect(result.facts).toMatchObject({ verdict: 'Failed', baselineFault: fault });
    const { closing } = await make({}, factsOf(result));
    expect(closing).toMatchObject({ baselineFault: fault, uncompared: result.facts.errorMessage });
    expect(closing).not.toHaveProperty('gap');
  });

  test('that AIDE cannot do is told as Errored', async () => {
    const old = await make({ id: 'order-1' });
    const result = ended(await close({}, { baseline: old, program: fixtureProgram('aide-exit-18') }));
    expect(result.facts).toMatchObject({ verdict: 'Errored', errorCode: 'AIDE_IO_ERROR' });
    expect(result.successor).toBeUndefined();
  });

  test('is needless before the first baseline, before an adoption, and for what is done already', async () => {
    expect(await close({ reason: 'Initial' })).toEqual({ kind: 'needless' });
    expect(await close()).toEqual({ kind: 'needless' });
    await make();
    expect(await close()).toEqual({ kind: 'needless' });
    expect(await close({ id: 'order-3', reason: 'Initial' })).toEqual({ kind: 'needless' });
  });

  test('is done with a database that is not adopted, as far as it can be read', async () => {
    const made = await make({ id: 'order-1' });
    await node.write('etc/app/new', 'unseen');
    await writeFile(node.paths.receipt, JSON.stringify({ ...made, digest: 'f'.repeat(64) }));
    const result = ended(await close({ reason: 'Initial' }));
    expect(result.facts).toMatchObject({ verdict: 'Failed', counts: { added: 1 } });
    const receipt = await make({ reason: 'Initial' }, factsOf(result));
    expect(receipt).toMatchObject({ refused: expect.any(String), closing: { verdict: 'Failed' } });
  });

  test('of files of its own looks for the old database under the usual names', async () => {
    const old = await make({ id: 'order-1' });
    await node.write('etc/app/new', 'unseen');
    const own = { baseline: old, files: 'aide.worker' };
    const result = ended(await close({ reason: 'Configuration' }, own));
    expect(result.facts).toMatchObject({ verdict: 'Failed', counts: { added: 1 }, baselineDigest: old.digest });
    expect((await make({ reason: 'Configuration' }, factsOf(result), own)).digest).toBe(result.successor);
    expect(await files()).toEqual(expect.arrayContaining(['aide.db.gz', 'aide.worker.db.gz']));
    await carryOut({ id: 'of-another' });
    await rm(`${node.paths.directory}/aide.worker.db.gz`);
    const taken = ended(await close({ id: 'order-4', reason: 'Configuration' }, own));
    expect(taken.facts.errorMessage).toMatch(/another FileIntegrity has taken the place of its database/);
  });

  test('is done again when the database that it wrote is another by the time that it is to move in', async () => {
    const old = await make({ id: 'order-1' });
    await node.write('etc/app/new', 'unseen');
    const result = ended(await close({}, { baseline: old }));
    await writeFile(node.paths.newDatabase, await readFile(node.paths.database));
    expect(await carryOut({}, factsOf(result))).toEqual({ kind: 'lost' });
    expect(await databaseText()).not.toContain('/etc/app/new');
    expect(await files()).not.toContain('aide.db.gz.new');
  });
});
