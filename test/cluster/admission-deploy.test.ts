import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { attachCluster, type Cluster } from '../../devcluster/cluster.ts';
import { compareAdmission } from '../../src/operator/admission/comparison.ts';
import { readShipped } from '../../src/operator/admission/shipped.ts';

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: { matchResources?: { namespaceSelector?: { matchExpressions?: { values?: string[] }[] } } };
  subjects?: { namespace?: string }[];
}

/** Bindings of policies that know by other things whom they concern. */
const EVERYWHERE = ['file-integrity-daemon', 'file-integrity-nodes'];

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

  test('has the operator know the API server and its token by nothing that the role edit can change', async () => {
    await kustomize({ resources: ['deploy'] });
    const deployment = (await build()).find(({ kind }) => kind === 'Deployment');
    const { template } = (deployment?.spec ?? {}) as { template?: { spec?: object } };
    expect(template?.spec).toMatchObject({ automountServiceAccountToken: true, enableServiceLinks: false });
  });

  test('names its namespace in one place: policies and rights follow it', async () => {
    const file = join(folder, 'deploy/kustomization.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/^namespace: .*$/m, 'namespace: elsewhere'));
    await kustomize({ resources: ['deploy'] });
    const objects = await build();
    await writeFile(file, text);
    const bindings = objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding');
    for (const { metadata, spec } of bindings) {
      const selected = spec?.matchResources?.namespaceSelector?.matchExpressions?.flatMap(({ values = [] }) => values);
      expect(selected, metadata.name).toEqual(EVERYWHERE.includes(metadata.name) ? undefined : ['elsewhere']);
    }
    expect(bindings.length).toBeGreaterThan(EVERYWHERE.length);
    expect(await faultsOf(objects, 'elsewhere')).toEqual([]);
    for (const { kind, subjects } of objects.filter((object) => object.kind === 'ClusterRoleBinding')) {
      expect(
        subjects?.map(({ namespace }) => namespace),
        kind,
      ).toEqual(['elsewhere']);
    }
    expect(JSON.stringify(objects)).not.toContain('openshift-file-integrity');
  });

  test('has each policy of its folder in it', async () => {
    await kustomize({ resources: ['deploy'] });
    const built = (await build()).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    for (const file of (await readdir(join(folder, 'deploy/admission'))).filter((name) => name.endsWith('.yaml'))) {
      const text = await readFile(join(folder, 'deploy/admission', file), 'utf8');
      for (const { kind, metadata } of parseAllDocuments(text).map((document) => document.toJS() as Manifest)) {
        expect(built).toContain(`${kind} ${metadata.name}`);
      }
    }
  });

  /** What the operator would find wrong, with these installed. */
  async function faultsOf(objects: readonly Manifest[], namespace: string): Promise<string[]> {
    const there = new Map(objects.map((object) => [`${object.kind}/${object.metadata.name}`, object]));
    return compareAdmission(await readShipped(), (id) => there.get(id), namespace);
  }

  test('has the policies that the operator looks for', async () => {
    await kustomize({ resources: ['deploy'], components: ['deploy/admission/who-asked'] });
    const objects = await build();
    expect(await faultsOf(objects, 'openshift-file-integrity')).toEqual([]);
    const { required, optional } = await readShipped();
    const wanted = [...required, ...optional].map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const built = objects.filter(({ kind }) => /AdmissionPolicy(Binding)?$/.test(kind));
    expect(built.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual(wanted.sort());
  });

  test('has who-asked as a component', async () => {
    await kustomize({ resources: ['deploy'] });
    const kinds = async () => (await build()).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const without = await kinds();
    await kustomize({ resources: ['deploy'], components: ['deploy/admission/who-asked'] });
    const more = (await kinds()).filter((kind) => !without.includes(kind));
    expect(more.sort()).toEqual([
      'MutatingAdmissionPolicy file-integrity-who-asked',
      'MutatingAdmissionPolicy file-integrity-who-changed',
      'MutatingAdmissionPolicy file-integrity-who-named',
      'MutatingAdmissionPolicyBinding file-integrity-who-asked',
      'MutatingAdmissionPolicyBinding file-integrity-who-changed',
      'MutatingAdmissionPolicyBinding file-integrity-who-named',
    ]);
  });
});
