import type { Client } from '../src/kube/client.ts';
import type { Teller } from './tell.ts';

/** The operator's namespace in deploy/. */
export const NAMESPACE = 'openshift-file-integrity';

/** Where the story plays. What a user would do, it does by kubectl; what it looks at, it reads by the client. */
export interface Stage {
  readonly client: Client;
  /** Runs kubectl, which must succeed. */
  kubectl(args: readonly string[], options?: { input?: string }): Promise<{ stdout: string }>;
  readonly tell: Teller;
  readonly signal: AbortSignal;
  /** A folder with a kustomization, instead of deploy/. */
  readonly manifests?: string;
}
