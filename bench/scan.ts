import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectory } from '../devcluster/paths.ts';
import { explain, FioError } from '../src/lib/errors.ts';
import { realAide } from '../test/support/aide.ts';
import { describeLoad, describeMachine } from './lib/machine.ts';
import { compare, type Rounds } from './scan/compare.ts';
import { METHODS, type Method } from './scan/messages.ts';
import { makeNode } from './scan/node.ts';
import { bundleRunner, type Runner, startRunner } from './scan/runners.ts';
import { ratioTable, scanTable } from './scan/tables.ts';
import { ensureTree, type TreeShape } from './scan/tree.ts';

const HELP = `npm run bench:scan [-- OPTIONS]

Measures what a scan by the daemon takes beside AIDE alone: same tree, same database, same configuration, in turn. First
a small tree, then a large one, which is made once and kept. Exits 0 whether or not the target is met.

  --files N    files of the large tree (100000)
  --bytes B    bytes of the large tree (4000000000)
  --rounds N   rounds, at least 3, of the large tree (3); the small one takes at least 5
  --only TREE  small or large
  --help
`;

/** More of the machine than this in others' hands, and wall times say little. */
const BUSY = 0.1;

const SMALL: TreeShape = { files: 2000, bytes: 20_000_000 };

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => ended.abort(new FioError('BENCH_INTERRUPTED', 'Interrupted')));
}
const tell = (line: string) => console.log(`  ${line}`);

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`Scans could not be measured: ${explain(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === undefined) return 2;
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  console.log(`${describeMachine()}\nPage cache warm; ${availableParallelism()} workers where it says all\n`);
  const large = { files: flags.files, bytes: flags.bytes };
  // A round of the small tree takes about as long as the clock of the kernel needs to be exact.
  if (flags.only !== 'large') await bench('Small tree', SMALL, { rounds: Math.max(5, flags.rounds), scans: 20 });
  if (flags.only !== 'small') await bench('Large tree', large, { rounds: flags.rounds, scans: 1 });
  return 0;
}

async function bench(name: string, shape: TreeShape, rounds: Rounds): Promise<void> {
  const { files, bytes } = shape;
  console.log(
    `${name}: ${files} files, ${(bytes / 1e6).toFixed(0)} MB; ${rounds.rounds} rounds of ${rounds.scans} scans`,
  );
  const { command: aide, version } = await realAide();
  const tree = await ensureTree(shape, tell, ended.signal);
  const directory = join(cacheDirectory(), 'bench');
  mkdirSync(directory, { recursive: true });
  tell(`making the baseline with AIDE ${version}`);
  await using node = await makeNode(directory, tree, aide, ended.signal);
  const { root, configuration, baselineDigest } = node;
  await using scratch = await makeScratch(directory);
  const program = await bundleRunner(scratch.path);
  await using runners = new AsyncDisposableStack();
  const start = (method: Method) =>
    runners.use(startRunner(program, { method, aide, root, configuration, baselineDigest }));
  const all = Object.fromEntries(METHODS.map((method) => [method, start(method)])) as Record<Method, Runner>;
  const comparison = await compare(all, rounds, tell, ended.signal);
  console.log(`\n${scanTable(comparison)}\n\n${ratioTable(comparison)}\n\n${describeOthers(comparison.others)}\n`);
}

function describeOthers(share: number): string {
  const said = `Meanwhile others used ${Math.round(100 * share)} % of the machine; load average at the end ${describeLoad()}.`;
  if (share <= BUSY) return said;
  return `${said}\nThe daemon's AIDE gives way to them, as it should: on a machine this busy its wall time is not comparable.`;
}

async function makeScratch(directory: string): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(directory, 'run-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        files: { type: 'string', default: '100000' },
        bytes: { type: 'string', default: '4000000000' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.only !== undefined && values.only !== 'small' && values.only !== 'large') {
      throw new Error(`--only takes small or large, not ${values.only}`);
    }
    return {
      ...values,
      files: wholeNumber('files', values.files, 1),
      bytes: wholeNumber('bytes', values.bytes, 1),
      rounds: wholeNumber('rounds', values.rounds, 3),
    };
  } catch (error) {
    console.error(`${explain(error)}\n\n${HELP}`);
    return undefined;
  }
}

function wholeNumber(flag: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new Error(`--${flag} takes a whole number from ${least} on, not ${text}`);
}
