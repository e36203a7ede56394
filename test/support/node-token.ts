import { daemonSetName } from '../../src/api/names.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { isAlreadyExists } from '../../src/kube/errors.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { nodes, pods } from '../../src/kube/resources.ts';

/** Who a test speaks as: a service account, perhaps by a token that is bound to a pod on a node. */
export interface TokenOwner {
  namespace: string;
  serviceAccount: string;
  /** Left out: an unbound token, as `kubectl create token` gives. */
  node?: string;
  /** The FileIntegrity that the pod is a daemon of, by its name; default `worker`. */
  integrity?: string;
}

/** A token, and the pod that it is bound to: once that is gone, the token is worth nothing. */
export interface IssuedToken {
  token: string;
  pod?: { name: string; uid: string };
}

/**
 * A service account's token, as a pod has it: bound to a pod of its own on `node` (made if need be; no kubelet is
 * needed), so that the API server names the node in the user's extra fields.
 */
export async function issueToken(admin: Client, owner: TokenOwner): Promise<IssuedToken> {
  const pod = owner.node === undefined ? undefined : await makePodOn(admin, owner.node, owner);
  const answer = await admin.raw(
    `/api/v1/namespaces/${owner.namespace}/serviceaccounts/${owner.serviceAccount}/token`,
    {
      method: 'POST',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          expirationSeconds: 3600,
          ...(pod && { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod } }),
        },
      },
    },
  );
  const { status } = JSON.parse(answer) as { status: { token: string } };
  return { token: status.token, ...(pod && { pod }) };
}

/** A client with such a token. */
export async function clientAs(kubeconfig: string, admin: Client, owner: TokenOwner): Promise<Client> {
  const { token } = await issueToken(admin, owner);
  return await clientWith(kubeconfig, token);
}

/** A client with somebody's token. */
export async function clientWith(kubeconfig: string, token: string): Promise<Client> {
  return createClient(withToken(await connectKubeconfig(kubeconfig), token), { userAgent: 'test-daemon' });
}

function withToken(connection: Connection, token: string): Connection {
  let kept: { ca: string | Buffer } | undefined;
  return {
    ...connection,
    async credentials() {
      const { tls } = await connection.credentials();
      kept ??= { ca: tls.ca ?? '' };
      return { tls: kept, headers: { authorization: `Bearer ${token}` } };
    },
    forget() {},
  };
}

async function makePodOn(admin: Client, node: string, owner: TokenOwner): Promise<{ name: string; uid: string }> {
  await admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: node } }).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
  const pod = await admin.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: `${podStem(owner)}-`, namespace: owner.namespace },
    spec: {
      nodeName: node,
      serviceAccountName: owner.serviceAccount,
      containers: [{ name: 'daemon', image: 'none' }],
    },
  });
  const { name = '', uid = '' } = pod.metadata ?? {};
  return { name, uid };
}

/** How the name of such a pod begins: as the operator's Deployment or the daemon set calls it. */
function podStem({ serviceAccount, integrity = 'worker' }: TokenOwner): string {
  return serviceAccount === 'file-integrity-daemon' ? daemonSetName(integrity) : serviceAccount;
}
