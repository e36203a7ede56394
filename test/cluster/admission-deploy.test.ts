import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { attachCluster, type Cluster } from '../../devcluster/cluster.ts';

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: { matchResources?: { namespaceSelector?: { matchExpressions?: { values?: string[] }[] } } };
  subjects?: { namespace?: string }[];
}

describe('deploy/', () => {
  let cluster: Cluster;
  let folder: string;

  beforeAll(async () => {
    cluster = await attachCluster(inject('cluster'));
    folder = await mkdtemp(join(tmpdir(), 'deploy-'));
    await cp(fileURLToPath(new URL('../../deploy', import.meta.url)), join(folder, 'deploy'), { recursive: true });
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function build(): Promise<Manifest[]> {
    const { stdout } = await cluster.kubectl(['kustomize', folder]);
    return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
  }

  const kustomize = (lines: object) => writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(lines));

  test('names its namespace in one place: policies and rights follow it', async () => {
    const file = join(folder, 'deploy/kustomization.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/^namespace: .*$/m, 'namespace: elsewhere'));
    await kustomize({ resources: ['deploy'] });
    const objects = await build();
    await writeFile(file, text);
    const selected = objects.flatMap(
      ({ spec }) =>
        spec?.matchResources?.namespaceSelector?.matchExpressions?.flatMap(({ values = [] }) => values) ?? [],
    );
    expect(selected).toEqual(['elsewhere', 'elsewhere']);
    for (const { kind, subjects } of objects.filter((object) => object.kind === 'ClusterRoleBinding')) {
      expect(
        subjects?.map(({ namespace }) => namespace),
        kind,
      ).toEqual(['elsewhere']);
    }
    expect(JSON.stringify(objects)).not.toContain('openshift-file-integrity');
  });

  test('has who-asked as a component', async () => {
    await kustomize({ resources: ['deploy'] });
    const kinds = async () => (await build()).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const without = await kinds();
    await kustomize({ resources: ['deploy'], components: ['deploy/admission/who-asked'] });
    const more = (await kinds()).filter((kind) => !without.includes(kind));
    expect(more.sort()).toEqual([
      'MutatingAdmissionPolicy file-integrity-who-asked',
      'MutatingAdmissionPolicyBinding file-integrity-who-asked',
    ]);
  });
});
