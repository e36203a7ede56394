import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Client } from '../../kube/client.ts';
import { createInformer, type Informer } from '../../kube/informer.ts';
import { secrets } from '../../kube/resources.ts';
import { explain } from '../../lib/errors.ts';
import { type Handler, type ListeningTls, serve, serveTls } from '../http.ts';
import { createSayOnce, type SayOnce } from '../monitoring/say-once.ts';
import { createAccess } from './access.ts';
import { type Lifetimes, readServing, SERVING_SECRET } from './serving-secret.ts';

export interface MetricsOptions {
  /** For what the operator says of itself, in the clear at `/metrics`; default 8383, 0 takes a free one. */
  readonly plainPort?: number;
  /** For what it says of nodes, over TLS and to those who may, at `/metrics-fio`; default 8585, 0 takes a free one. */
  readonly securePort?: number;
  /** Told once both listen. */
  readonly onListening?: (ports: Pick<Endpoint, 'plainPort' | 'securePort'>) => void;
  /** Of the certificate that the operator makes where no service CA makes one; default `LIFETIMES`. */
  readonly lifetimes?: Lifetimes;
  /** For the certificate; default the machine's clock. */
  readonly now?: () => Date;
}

/** Disposed, it serves no more. */
export interface Endpoint extends AsyncDisposable {
  readonly plainPort: number;
  readonly securePort: number;
  /** The secret with the certificate, for whoever keeps it. */
  readonly servingSecret: Informer<Secret>;
}

/**
 * Serves the metrics: what is known of the nodes only to those who may know it, over TLS, with the certificate that is in
 * the secret at the time.
 * @throws FioError `PORT_UNAVAILABLE`
 */
export async function serveMetrics(
  { client, namespace, log }: { readonly client: Client; readonly namespace: string; readonly log: Logger },
  registries: { readonly runtime: Registry; readonly nodes: Registry },
  { plainPort = 8383, securePort = 8585, onListening }: MetricsOptions,
): Promise<Endpoint> {
  await using started = new AsyncDisposableStack();
  const sayOnce = createSayOnce(log);
  const access = createAccess({
    client,
    onError: (error) => sayOnce('metrics: a token was not reviewed', explain(error)),
  });
  const onError = (error: unknown) => sayOnce('metrics: a request was not answered', explain(error));
  const plain = started.use(await serve(plainPort, handlerOf('/metrics', registries.runtime), onError));
  const nodes = handlerOf('/metrics-fio', registries.nodes);
  const authorized: Handler = async (request) =>
    request.path === '/metrics-fio' ? ((await access(request)) ?? nodes(request)) : undefined;
  const secure = started.use(await serveTls(securePort, authorized, onError));

  const servingSecret = createInformer(client, secrets, {
    namespace,
    name: SERVING_SECRET,
    onError: (error) =>
      sayOnce(`metrics: without the secret ${SERVING_SECRET} none are served over TLS`, explain(error)),
  });
  servingSecret.onChange((change) => {
    if (change.type === 'applied') load(change.object, secure, sayOnce);
  });
  const ended = new AbortController();
  const watching = servingSecret.run(ended.signal);
  started.defer(async () => {
    ended.abort();
    await watching;
  });
  const ports = { plainPort: plain.port, securePort: secure.port };
  onListening?.(ports);
  const stack = started.move();
  return { ...ports, servingSecret, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function handlerOf(path: string, registry: Registry): Handler {
  return async (request) => {
    if (request.path !== path) return undefined;
    return { status: 200, body: await registry.metrics(), type: registry.contentType };
  };
}

/** A certificate that cannot be used changes nothing: the one before it goes on serving. */
function load(secret: Secret, server: ListeningTls, sayOnce: SayOnce): void {
  const serving = readServing(secret);
  const isUsable = 'pair' in serving;
  if (isUsable) server.use(serving.pair);
  const topic = `metrics: the certificate in the secret ${SERVING_SECRET} cannot be used`;
  sayOnce(topic, isUsable ? undefined : serving.unusable);
}
