import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Connection } from '../../src/kube/connection.ts';
import { FioError } from '../../src/lib/errors.ts';

/** A node's way to the API server, which can break at any moment. */
export interface NodeNetwork {
  /** The way of a daemon that has this token. */
  connection(token: string): Connection;
  /** Ends all connections at once, whatever was on its way. */
  cut(): void;
  /** Whether no connection can be made. The existing ones end. */
  partition(on: boolean): void;
  readonly isPartitioned: boolean;
  close(): void;
}

/** @param behind the administrator's connection, of which only the address and the authority are used */
export async function createNodeNetwork(behind: Connection): Promise<NodeNetwork> {
  const { tls } = await behind.credentials();
  const sockets = new Set<Duplex>();
  let isPartitioned = false;

  class NodeAgent extends Agent {
    override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
      const socket = super.createConnection(...args);
      if (socket) {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      }
      return socket;
    }
  }
  const agent = new NodeAgent({ ca: tls.ca ?? '', keepAlive: true, maxFreeSockets: 1 });

  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    connection(token) {
      const own = { tls: { ca: tls.ca ?? '' }, headers: { authorization: `Bearer ${token}` }, agent };
      return {
        server: behind.server,
        namespace: behind.namespace,
        async credentials() {
          if (isPartitioned) throw new FioError('KUBE_UNREACHABLE', 'The node is cut off');
          return own;
        },
        forget() {},
      };
    },
    cut,
    partition(on) {
      isPartitioned = on;
      if (on) cut();
    },
    get isPartitioned() {
      return isPartitioned;
    },
    close() {
      cut();
      agent.destroy();
    },
  };
}
