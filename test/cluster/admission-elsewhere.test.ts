import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { fileIntegrities } from '../../src/api/group.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { enforcePolicies, refusal } from '../support/admission.ts';
import { installCrds } from '../support/crds.ts';
import { createNamespace } from '../support/namespace.ts';

let admin: Client;
let home: string;
let elsewhere: string;
const stack = new AsyncDisposableStack();

const make = (namespace: string, name: string) =>
  admin.create(fileIntegrities, { metadata: { namespace, name }, spec: { config: {} } } as never);

beforeAll(async () => {
  admin = stack.use(createClient(await connectKubeconfig(inject('kubeconfig'))));
  await installCrds(admin);
  home = await createNamespace(admin, 'home');
  elsewhere = await createNamespace(admin, 'elsewhere');
  await make(elsewhere, 'before');
  stack.use(
    await enforcePolicies(admin, 'elsewhere-policy.yaml', [home, elsewhere], async () => {
      const said = await refusal(make(elsewhere, 'probe'));
      if (said === '') await admin.remove(fileIntegrities, { namespace: elsewhere, name: 'probe' });
      return said !== '';
    }),
  );
});
afterAll(() => stack.disposeAsync());

test('a FileIntegrity where no operator looks is refused, with where to make it', async () => {
  expect(await refusal(make(elsewhere, 'workers'))).toContain(
    `No File Integrity Operator looks in the namespace ${elsewhere}: this FileIntegrity would watch nothing. Make it in the namespace of the operator, which "kubectl get deployments -A --field-selector metadata.name=file-integrity-operator" shows.`,
  );
  await make(home, 'workers');
});

test('one that is there already can be changed and removed', async () => {
  const ref = { namespace: elsewhere, name: 'before' };
  await admin.patch(fileIntegrities, ref, { spec: { debug: true } }, { type: 'merge' });
  await admin.remove(fileIntegrities, ref);
});
