import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { type Handler, type KeyPair, serve, serveTls } from './http.ts';
import { issueServing, makeAuthority } from './metrics/issue.ts';

const hello: Handler = ({ path }) => (path === '/hello' ? { status: 200, body: 'hello\n' } : undefined);
const ignore = () => {};

function get(port: number, path: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers, agent: false }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, body });
    })
      .on('error', reject)
      .end();
  });
}

/** Undefined: the handshake succeeded. */
async function handshake(port: number, ca: string): Promise<string | undefined> {
  const socket = connectTls({ host: '127.0.0.1', port, ca, servername: 'metrics' });
  return once(socket, 'secureConnect')
    .then(
      () => undefined,
      (error: Error) => error.message,
    )
    .finally(() => socket.destroy());
}

async function pairs(): Promise<{ authority: KeyPair; first: KeyPair; second: KeyPair }> {
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 60_000) };
  const authority = await makeAuthority(['metrics'], validity);
  const [first, second] = [
    await issueServing(authority, ['metrics'], validity),
    await issueServing(authority, ['metrics'], validity),
  ];
  return { authority, first, second };
}

async function serialNumberAt(socket: ReturnType<typeof connectTls>): Promise<string> {
  await once(socket, 'secureConnect');
  return socket.getPeerCertificate().serialNumber;
}

describe('a server', () => {
  test('answers what its handler answers, without the query, and 404 where that has nothing', async () => {
    await using server = await serve(0, hello, ignore);
    expect(await get(server.port, '/hello?who=you')).toEqual({ status: 200, body: 'hello\n' });
    expect((await get(server.port, '/')).status).toBe(404);
  });

  test('answers 500 when its handler throws, tells of it, and says nothing of it to the client', async () => {
    const errors: unknown[] = [];
    const failing: Handler = () => Promise.reject(new Error('secret path /x'));
    await using server = await serve(0, failing, (error) => errors.push(error));
    const { status, body } = await get(server.port, '/');
    expect(status).toBe(500);
    expect(body).not.toContain('secret');
    expect(errors).toEqual([new Error('secret path /x')]);
  });

  test('says which port it could not have', async () => {
    await using server = await serve(0, hello, ignore);
    await expect(serve(server.port, hello, ignore)).rejects.toMatchObject({ code: 'PORT_UNAVAILABLE' });
  });

  test('refuses headers that are longer than any token', async () => {
    await using server = await serve(0, hello, ignore);
    expect((await get(server.port, '/hello', { authorization: 'x'.repeat(20_000) })).status).toBe(431);
  });

  /** Connections from an address that say this and are told when they are ended. */
  async function come(port: number, localAddress: string, count: number, text = '') {
    const sockets: Socket[] = [];
    for (let number = 0; number < count; number++) {
      const socket = connectTcp({ host: '127.0.0.1', port, localAddress });
      socket.on('error', ignore).on('data', ignore);
      sockets.push(socket);
      await once(socket, 'connect');
      if (text !== '') socket.write(text);
    }
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    return sockets;
  }

  async function ended(sockets: readonly Socket[], count: number): Promise<void> {
    await eventually(`${count} are ended`, () => sockets.filter(({ closed }) => closed).length >= count);
    expect(sockets.map(({ closed }) => closed)).toEqual(sockets.map((_, index) => index < count));
  }

  test('holds so many connections of one address, and the oldest gives way to a new one', async () => {
    await using server = await serve(0, hello, ignore);
    const sockets = await come(server.port, '127.0.0.2', 40);
    await ended(sockets, 8);
    expect(await get(server.port, '/hello')).toEqual({ status: 200, body: 'hello\n' });
  });

  test('holds so many connections in all, and the address that has most gives way', async () => {
    await using server = await serve(0, hello, ignore);
    const few = await come(server.port, '127.0.0.99', 2);
    const many: Socket[][] = [];
    for (let number = 2; number < 12; number++) many.push(await come(server.port, `127.0.0.${number}`, 30));
    await eventually('46 are ended', () => many.flat().filter(({ closed }) => closed).length >= 46);
    expect(many.flat().filter(({ closed }) => closed)).toHaveLength(46);
    expect(few.map(({ closed }) => closed)).toEqual([false, false]);
    expect(await get(server.port, '/hello')).toEqual({ status: 200, body: 'hello\n' });
  });

  test('lets none go that it answers, while others wait for nothing', async () => {
    const answers = Promise.withResolvers<void>();
    const asked: string[] = [];
    const slow: Handler = async ({ path }) => {
      asked.push(path);
      await answers.promise;
      return { status: 200, body: 'at last' };
    };
    await using server = await serve(0, slow, ignore);
    const waiting = await come(server.port, '127.0.0.2', 16, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await eventually('all have asked', () => asked.length === 16);
    const idle = await come(server.port, '127.0.0.2', 30);
    await ended(idle, 14);
    expect(waiting.filter(({ closed }) => closed)).toEqual([]);
    // Only where nobody waits for nothing, one that is answered has to go.
    const text = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
    const more: Socket[] = [];
    for (let number = 17; number <= 33; number++) {
      more.push(...(await come(server.port, '127.0.0.2', 1, text)));
      await eventually('it has asked', () => asked.length === number);
    }
    await ended(waiting, 1);
    expect(more.filter(({ closed }) => closed)).toEqual([]);
    answers.resolve();
  });

  test('ends with idle connections open, and with an answer that never comes', async () => {
    const started = Promise.withResolvers<void>();
    const server = await serve(
      0,
      async ({ path }) => {
        if (path === '/hello') return hello({ path, headers: {} });
        started.resolve();
        return new Promise<undefined>(ignore);
      },
      ignore,
    );
    const idle = connectTcp({ host: '127.0.0.1', port: server.port });
    await once(idle, 'connect');
    const hanging = expect(get(server.port, '/never')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await started.promise;
    await server[Symbol.asyncDispose]();
    await hanging;
    await expect(get(server.port, '/hello')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    idle.destroy();
  });
});

describe('a server with TLS', () => {
  test('listens from the start, and refuses every handshake until it has a certificate', async () => {
    const { authority, first } = await pairs();
    await using server = await serveTls(0, hello, ignore);
    expect(await handshake(server.port, authority.certificate)).toMatch(/handshake failure/);
    server.use(first);
    expect(await handshake(server.port, authority.certificate)).toBeUndefined();
  });

  test('serves a new certificate to new connections, and ends the idle ones that know the old', async () => {
    const { authority, first, second } = await pairs();
    await using server = await serveTls(0, hello, ignore);
    server.use(first);
    const open = () =>
      connectTls({ host: '127.0.0.1', port: server.port, ca: authority.certificate, servername: 'metrics' });
    const before = open();
    const old = await serialNumberAt(before);
    before.write('GET /hello HTTP/1.1\r\nhost: metrics\r\n\r\n');
    await once(before, 'data');
    const closed = once(before, 'close');
    server.use(second);
    await closed;
    const after = open();
    expect(await serialNumberAt(after)).not.toBe(old);
    after.destroy();
  });
});
