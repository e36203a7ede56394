import { readdir, readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import type { Client } from '../../src/kube/client.ts';
import { isAlreadyExists } from '../../src/kube/errors.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { eventually } from './eventually.ts';

const crds: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** Makes the cluster look as if it had a Machine Config Operator. */
export async function installMachineConfigs(client: Client): Promise<void> {
  const crd = parse(await readFile(new URL('machine-configs.yaml', import.meta.url), 'utf8')) as KubeObject;
  await client.create(crds, crd).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
  const path = '/apis/machineconfiguration.openshift.io/v1/machineconfigpools?limit=1';
  await eventually('machine config pools are served', () =>
    client.raw(path).then(
      () => true,
      () => false,
    ),
  );
}

/** Installs the project's own CRDs and waits until they are served. Other test files may do so at the same time. */
export async function installCrds(client: Client): Promise<void> {
  const folder = new URL('../../deploy/crds/', import.meta.url);
  for (const file of await readdir(folder)) {
    const crd = parse(await readFile(new URL(file, folder), 'utf8')) as KubeObject;
    await client.create(crds, crd).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
  for (const { plural, group, version } of [fileIntegrities, nodeStatuses]) {
    await eventually(`${plural} are served`, () =>
      client.raw(`/apis/${group}/${version}/${plural}?limit=1`).then(
        () => true,
        () => false,
      ),
    );
  }
}
