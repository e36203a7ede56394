import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';

// The operator's real process. It has no API server, and answers its probes and those who ask for metrics all the same.

/** What the kubelet waits for an answer before it restarts the operator, as deploy/operator has it, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function startOperator() {
  const folder = mkdtempSync(join(tmpdir(), 'fio-probes-'));
  const [nowhere, probe, plain, secure] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const kubeconfig = {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x', namespace: 'x' } }],
    clusters: [{ name: 'x', cluster: { server: `http://127.0.0.1:${nowhere}` } }],
    users: [{ name: 'x', user: { token: 'x' } }],
  };
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
  const flags = ['--kubeconfig', join(folder, 'kubeconfig'), '--image', 'any', '--probe-port', `${probe}`];
  const ports = ['--metrics-port', `${plain}`, '--secure-metrics-port', `${secure}`];
  const program = join(import.meta.dirname, '../../src/bin/fio.ts');
  const child = spawn(process.execPath, [program, 'operator', ...flags, ...ports], { stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true });
  });
  await eventually('it answers', async () => (await ask(probe, '/healthz').catch(() => undefined)) === 200, 150_000);
  return { child, probe, plain, secure };
}

/** One request as a kubelet makes it: on a connection of its own, from the node's address. */
function ask(port: number, path: string): Promise<number | undefined> {
  const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent: false, signal }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end();
  });
}

/** Strangers that hold what they get, each with so many connections, and come back when they are sent away. */
function besiege(port: number, addresses: readonly string[], each: number): { readonly met: () => number } {
  const open = new Set<Socket>();
  let isOver = false;
  let met = 0;
  const come = (localAddress: string, isSlow: boolean) => {
    if (isOver) return;
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    open.add(socket);
    const text = `GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ${'x'.repeat(200)}`;
    let sent = 0;
    const dribble = setInterval(() => isSlow && socket.write(text[sent++ % text.length] ?? ''), 500);
    socket.on('connect', () => {
      met += 1;
      if (isSlow) socket.write('G');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(dribble);
      open.delete(socket);
      setTimeout(come, 100, localAddress, isSlow);
    });
  };
  for (let number = 0; number < each; number++) {
    for (const address of addresses) come(address, number % 2 === 1);
  }
  onTestFinished(() => {
    isOver = true;
    for (const socket of open) socket.destroy();
  });
  return { met: () => met };
}

describe('the operator among strangers that take connections and say nothing, or little at a time', () => {
  test('answers every probe in time', { timeout: 180_000 }, async () => {
    const { child, probe } = await startOperator();
    const addresses = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 2}`);
    const siege = besiege(probe, addresses, 50);
    await eventually('400 have come', () => siege.met() >= 400);
    for (let number = 0; number < 15; number++) {
      const path = number % 2 === 0 ? '/healthz' : '/readyz';
      expect(await ask(probe, path).catch((error: unknown) => error)).toBe(200);
      await pause(100);
    }
    expect(child.exitCode).toBeNull();
  });

  test('answers every probe in time, however many addresses they have', { timeout: 180_000 }, async () => {
    const { probe } = await startOperator();
    const addresses = Array.from({ length: 400 }, (_, index) => `127.0.${1 + (index >> 8)}.${index & 255}`);
    const siege = besiege(probe, addresses, 1);
    await eventually('400 have come', () => siege.met() >= 400);
    for (let number = 0; number < 15; number++) {
      expect(await ask(probe, '/healthz').catch((error: unknown) => error)).toBe(200);
      await pause(100);
    }
  });

  test('is scraped, while they are at the metrics’ ports', { timeout: 180_000 }, async () => {
    const { plain, secure, probe } = await startOperator();
    const addresses = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 2}`);
    const sieges = [besiege(plain, addresses, 50), besiege(secure, addresses, 50)];
    await eventually('400 have come to each', () => sieges.every(({ met }) => met() >= 400));
    for (let number = 0; number < 10; number++) {
      expect(await ask(plain, '/metrics').catch((error: unknown) => error)).toBe(200);
      expect(await ask(probe, '/healthz').catch((error: unknown) => error)).toBe(200);
      await pause(100);
    }
  });
});
