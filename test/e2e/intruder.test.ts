import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMESPACE } from '../../demo/stage.ts';
import type { ClusterNode } from '../../devcluster/cluster.ts';
import { mustRun } from '../../devcluster/lib/run.ts';
import { IMAGE } from '../../image/build.ts';
import { failedName, resultName } from '../../src/api/names.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { createIntegrity, type Integrity } from '../support/e2e-integrity.ts';
import { type E2eStage, openStage } from '../support/e2e-stage.ts';
import { eventually } from '../support/eventually.ts';
import { canHaveNodes } from '../support/nodes.ts';

// What an intruder on a node, or somebody who may edit in the operator's namespace, tries against evidence and its readers.

const NAME = 'intruded';
const NODE = 'worker-1';
const DISK = '/etc/on-a-disk';

/** Names of files, as the shell's printf has them: terminals, pages, logs, JSON and regular expressions give them a meaning. */
const HOSTILE = [
  'line\\nbreak',
  'red\\033[31mscreen\\033[2J',
  'title\\033]0;owned\\007',
  'bell\\007back\\010space',
  'right\\342\\200\\256txt.exe', // U+202E
  'zero\\342\\200\\213width', // U+200B
  '<img src=x onerror=alert(1)>',
  'quote\\"}\\\\ {{ $labels }} 100%%',
  'not-utf8-\\377\\376',
];

describe.skipIf(!canHaveNodes())('an intruder', () => {
  let stage: E2eStage;
  let integrity: Integrity;
  let node: ClusterNode;

  const shell = async (script: string) => {
    const { code, stdout, stderr } = await node.exec(['sh', '-c', script]);
    expect(code, stderr).toBe(0);
    return stdout;
  };
  const scaleOperator = async (replicas: number) => {
    const target = ['deployment/file-integrity-operator', '-n', NAMESPACE];
    await stage.kubectl(['scale', ...target, `--replicas=${replicas}`]);
    await stage.kubectl(['rollout', 'status', ...target, '--timeout=120s']);
  };
  const isPodless = async () => {
    const pods = ['get', 'pods', '-n', NAMESPACE, '-l', 'name=file-integrity-operator', '-o', 'name'];
    return (await stage.kubectl(pods)).stdout.trim() === '';
  };

  beforeAll(async () => {
    stage = await openStage();
    node = stage.node(NODE);
    // A node has no mkfs.ext4: the host makes the file system, and its /dev is the node's.
    const image = `/dev/shm/fio-intruder-${process.pid}.img`;
    try {
      await mustRun(['sh', '-c', `truncate -s 16M ${image} && mkfs.ext4 -q ${image}`]);
      await shell(`cp ${image} /srv/disk.img`);
    } finally {
      rmSync(image, { force: true });
    }
    await shell(
      `mkdir ${DISK} && mount -o loop /srv/disk.img ${DISK} && echo THE-CONTENT-AS-IT-WAS > ${DISK}/file && sync`,
    );
    integrity = await createIntegrity(stage, NAME, { history: { failedResults: 20 } });
    await integrity.condition(NODE, 'Succeeded');
  });
  afterAll(async () => {
    await node?.exec(['sh', '-c', `umount ${DISK}; rmdir ${DISK}; rm -rf /srv/disk.img /etc/hostile /etc/intruded`]);
    await integrity?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  test('who removes a message before it is read delays what it says, and no more', async () => {
    await scaleOperator(0);
    await eventually('the operator is gone', isPodless);
    await shell('echo new > /etc/intruded');
    const ref = { namespace: NAMESPACE, name: resultName(NAME, NODE) };
    await eventually(
      'the message is there',
      async () => (await stage.client.find(configMaps, ref)) !== undefined,
      60_000,
    );
    await stage.client.remove(configMaps, ref);
    await scaleOperator(1);
    const { lastResult } = await integrity.condition(NODE, 'Failed');
    expect(lastResult).toMatchObject({ filesAdded: 1, resultConfigMapName: failedName(NAME, NODE) });
  });

  test('who removes the kept report by hand ends no failure', async () => {
    await stage.client.remove(configMaps, { namespace: NAMESPACE, name: failedName(NAME, NODE) });
    const status = await integrity.nextScan(NODE);
    expect(status.lastResult?.condition).toBe('Failed');
    expect(status.state).toBe('Failed');
  });

  test('writes names of files that reach no terminal, page or series as they are', async () => {
    const files = HOSTILE.map((name) => `touch "$(printf '${name}')"`).join('; ');
    await shell(`mkdir -p /etc/hostile && cd /etc/hostile && ${files}`);
    await eventually('they are found', async () => {
      const { lastResult } = (await integrity.status(NODE)) ?? {};
      return (lastResult?.filesAdded ?? 0) > HOSTILE.length;
    });
    const findings = `${failedName(NAME, NODE)}.findings`;
    const shown = await Promise.all(
      [
        ['get', 'fileintegritynodestatuses', '-o', 'yaml'],
        ['get', 'fileintegrities', '-o', 'yaml'],
        ['describe', 'fileintegrity', NAME],
        ['get', 'events', '-o', 'wide'],
        ['logs', '-l', 'name=file-integrity-operator', '--tail=-1'],
        ['logs', '-l', `app=aide-${NAME}`, '--tail=-1'],
        ['get', 'configmap', findings, '-o', 'jsonpath={.data}'],
      ].map(async (args) => (await stage.kubectl([...args, '-n', NAMESPACE])).stdout),
    );
    for (const text of shown) expect(text.match(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/u)?.[0]).toBeUndefined();
    const pages = JSON.parse(shown.at(-1) ?? '') as Record<string, string>;
    for (const part of ['onerror', 'u202e', 'x1b', 'not-utf8-']) expect(Object.values(pages).join('')).toContain(part);
  });

  test('writes to the disk below a file system, which is found once the kernel reads it again', async () => {
    const replace = "perl -0777 -pi -e 's/THE-CONTENT-AS-IT-WAS/THE-CONTENT-AS-IT-IS!/'";
    // The image is replaced in place: `perl -i` would make another file of it.
    await shell(
      `cp /srv/disk.img /tmp/disk.img && ${replace} /tmp/disk.img && dd if=/tmp/disk.img of=/srv/disk.img conv=notrunc bs=1M 2>/dev/null; rm /tmp/disk.img`,
    );
    const found = async () => {
      const { stdout } = await stage.kubectl([
        'get',
        'configmap',
        '-n',
        NAMESPACE,
        `${failedName(NAME, NODE)}.findings`,
        '-o',
        'jsonpath={.data}',
      ]);
      return stdout.includes(`${DISK}/file`);
    };
    // Until then whoever reads the file, AIDE too, gets what the kernel has in memory: SECURITY.md says so.
    await shell(`dd if=${DISK}/file iflag=nocache count=0 2>/dev/null && grep -q IT-IS ${DISK}/file`);
    await eventually('it is found', found, 120_000);
  });

  test('in a pod of another namespace reaches nothing that tells of nodes', async () => {
    const program = readFileSync(new URL('../fixtures/programs/reach.mjs', import.meta.url), 'utf8');
    const service = `metrics.${NAMESPACE}.svc`;
    const urls = [
      `https://${service}:8585/metrics-fio`,
      `http://${service}:8383/metrics`,
      `http://${service}:8383/metrics-fio`,
    ];
    const pod = ['intruder', '-n', 'default'];
    const overrides = { spec: { terminationGracePeriodSeconds: 0 } };
    try {
      await stage.kubectl([
        'run',
        ...pod,
        `--image=${IMAGE}`,
        '--restart=Never',
        '--image-pull-policy=Never',
        `--overrides=${JSON.stringify(overrides)}`,
        '--command',
        '--',
        'node',
        '--input-type=module',
        '-e',
        program,
        ...urls,
      ]);
      await stage.kubectl([
        'wait',
        ...['pod/intruder', '-n', 'default'],
        '--for=jsonpath={.status.phase}=Succeeded',
        '--timeout=90s',
      ]);
      const lines = (await stage.kubectl(['logs', ...pod])).stdout
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('http'));
      expect(lines).toHaveLength(2 * urls.length);
      expect(lines.filter((line) => line.endsWith('nodes'))).toEqual([]);
      expect(lines.slice(0, 2).map((line) => line.split(' ')[1])).toEqual(['401', '403']);
    } finally {
      await stage.kubectl(['delete', 'pod', ...pod, '--ignore-not-found', '--wait=false']);
    }
  });
});
