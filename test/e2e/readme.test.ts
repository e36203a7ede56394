import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import { type Integrity, openIntegrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { canHaveNodes } from '../support/nodes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = readFileSync(`${ROOT}README.md`, 'utf8');

/** The commands of the README's table, by what they are for. */
const COMMANDS = new Map(
  [...README.matchAll(/^\| (.+?) \| `kubectl (.+?)` \|$/gm)].map(([, purpose = '', command = '']) => [
    purpose,
    command,
  ]),
);

describe.skipIf(!canHaveNodes())('the README', () => {
  let stage: E2eStage;
  let integrity: Integrity;
  /** Runs a command of the table as it stands, for the node worker-1. */
  const run = async (purpose: string) => {
    const command = COMMANDS.get(purpose);
    if (command === undefined) throw new Error(`The README has no command to ${purpose}`);
    const words = command.replaceAll('NODE', 'worker-1').replace(/'/g, '').split(' ');
    return (await stage.kubectl([...words, '-n', NAMESPACE])).stdout;
  };

  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(async () => {
    await stage?.node('worker-1').removeFile('/etc/readme');
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  test('installs the operator and watches nodes with the object that it shows', async () => {
    expect(README).toContain('kubectl apply -k deploy\n');
    const yaml = /```yaml\n([\s\S]+?)```/.exec(README)?.[1] ?? '';
    await stage.kubectl(['apply', '-f', '-'], { input: yaml });
    integrity = openIntegrity(stage, 'workers');
    await integrity.condition('worker-1', 'Succeeded');
    expect(await run('see how the nodes are')).toMatch(/workers-worker-1 +worker-1 +Succeeded/);
    await integrity.phase('Active');
    expect(await run('see the whole')).toMatch(/workers +Active/);
    expect(await run('see until when that counts, by the clock')).toMatch(/workers +(20|<none>)/);
    expect(await run('wait until the nodes are watched')).toContain('condition met');
    expect(await run('wait until each has been scanned')).toContain('condition met');
    expect(await run('ask whether nothing has changed')).toContain('condition met');
  });

  test('shows what changed on a node, and accepts it as the new baseline', async () => {
    await integrity.change({ config: { gracePeriod: 10 } });
    await stage.node('worker-1').writeFile('/etc/readme', 'new\n');
    await integrity.condition('worker-1', 'Failed');
    expect(await run('read what changed on a node')).toContain('/hostroot/etc/readme');
    await run('accept it as the new baseline');
    await integrity.condition('worker-1', 'Succeeded');
  });

  test('pauses the scans on a node', async () => {
    await run('pause scans on a node');
    await integrity.held('worker-1', 'Annotation');
    expect(await run('go on with them')).toContain('annotated');
  });

  test('names only commands that package.json has, and documents that are there', () => {
    const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> };
    for (const [, script = ''] of README.matchAll(/`?npm (?:run )?([a-z:]+)/g)) {
      if (script !== 'and') expect(Object.keys(scripts)).toContain(script);
    }
    for (const [, path = ''] of README.matchAll(/\]\(([^):]+)\)/g))
      expect(() => readFileSync(`${ROOT}${path}`)).not.toThrow(/ENOENT/);
  });
});
