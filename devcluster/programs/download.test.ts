import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { sleep } from '../../src/lib/signal.ts';
import { type DownloadLimits, downloadFile, tryHost } from './download.ts';
import { networkProblem, redirectTarget } from './http.ts';
import { serve, sha256 } from './served.ts';

const folder = mkdtempSync(join(tmpdir(), 'download-'));
const draft = join(folder, 'draft');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(draft, { force: true }));

const never = new AbortController().signal;
const content = Buffer.alloc(300_000, 'a program');

interface Asked {
  readonly sha256?: string;
  readonly limits?: Partial<DownloadLimits>;
  readonly signal?: AbortSignal;
  readonly environment?: NodeJS.ProcessEnv;
  readonly onProgress?: (line: string) => void;
}

function download(url: string, asked: Asked = {}): Promise<number> {
  const defaults = { sha256: sha256(content), signal: never, environment: {}, onProgress: () => undefined };
  return downloadFile({ url, draft, ...defaults, ...asked });
}

async function downloadFrom(answer: RequestListener, asked: Asked = {}): Promise<number> {
  await using server = await serve(answer);
  return await download(`${server.origin}/file`, asked);
}

describe('a file that is downloaded', () => {
  test('is written whole when it is the pinned one', async () => {
    await expect(downloadFrom((_, response) => response.end(content))).resolves.toBe(content.length);
    expect(readFileSync(draft).equals(content)).toBe(true);
  });

  test('is taken from where its address redirects to', async () => {
    const size = await downloadFrom((request, response) => {
      if (request.url === '/file') response.writeHead(302, { location: '/elsewhere' }).end();
      else response.end(content);
    });
    expect(size).toBe(content.length);
  });

  test('tells how many MB of how many have come', async () => {
    const lines: string[] = [];
    const large = Buffer.alloc(20e6);
    await downloadFrom((_, response) => response.setHeader('content-length', large.length).end(large), {
      sha256: sha256(large),
      limits: { progressMs: 0 },
      onProgress: (line) => lines.push(line.trim()),
    });
    expect(lines.at(0)).toMatch(/^0\.\d of 20 MB …$/);
    expect(lines.at(-1)).toBe('20 of 20 MB …');
  });
});

test('a host that is slow, but never silent for long, is waited for', async () => {
  const parts = Array.from({ length: 12 }, (_, index) => content.subarray(index * 25_000, (index + 1) * 25_000));
  const size = await downloadFrom(
    async (_, response) => {
      for (const part of parts) {
        response.write(part);
        await sleep(100);
      }
      response.end();
    },
    { limits: { stallMs: 900 } },
  );
  expect(size).toBe(content.length);
});

describe('a download that fails leaves nothing and says why:', () => {
  const failing = async (answer: RequestListener, asked?: Asked): Promise<unknown> => {
    const error: unknown = await downloadFrom(answer, asked).catch((thrown: unknown) => thrown);
    expect(readdirSync(folder)).toEqual([]);
    return error;
  };

  test('something else than the pinned file came', async () => {
    const error = await failing((_, response) => response.end('<html>Please sign in</html>'));
    expect(error).toMatchObject({
      code: 'DEVCLUSTER_CHECKSUM_MISMATCH',
      message: expect.stringContaining('FIO_PROGRAMS=build'),
    });
  });

  test('the connection broke off before the end', async () => {
    const error = await failing((_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => response.destroy());
    });
    expect(error).toMatchObject({
      code: 'DEVCLUSTER_DOWNLOAD_FAILED',
      message: expect.stringMatching(/127\.0\.0\.1:\d+ broke the connection off$/),
    });
  });

  test('the host does not have the file', async () => {
    const error = await failing((_, response) => response.writeHead(404).end('no'));
    expect(error).toMatchObject({
      code: 'DEVCLUSTER_DOWNLOAD_FAILED',
      message: expect.stringMatching(/answers with status 404$/),
    });
  });

  test('the host redirects in a circle', async () => {
    const error = await failing((_, response) => response.writeHead(301, { location: '/file' }).end());
    expect(error).toMatchObject({ message: expect.stringMatching(/redirects more than 5 times$/) });
  });

  test('the host stopped sending', async () => {
    const error = await failing((_, response) => response.write('begun'), { limits: { stallMs: 200 } });
    expect(error).toMatchObject({
      code: 'DEVCLUSTER_DOWNLOAD_FAILED',
      message: expect.stringMatching(/sent nothing for 0.2 s$/),
    });
  });

  test('the host sends, but never comes to the end', async () => {
    const error = await failing(
      (_, response) => {
        const drip = setInterval(() => response.write('.'), 20);
        response.once('close', () => clearInterval(drip));
      },
      { limits: { overallMs: 300 } },
    );
    expect(error).toMatchObject({
      code: 'DEVCLUSTER_DOWNLOAD_FAILED',
      message: expect.stringMatching(/did not send all of it within 0.3 s$/),
    });
  });

  test('the file is announced as too large', async () => {
    const error = await failing(
      (_, response) => response.setHeader('content-length', content.length).write('only the beginning comes'),
      { limits: { bytes: 200_000 } },
    );
    expect(error).toMatchObject({ message: expect.stringMatching(/sends more than the 0.2 MB allowed$/) });
  });

  test('the file grows too large without an announcement', async () => {
    const error = await failing(
      (_, response) => {
        response.write(content);
        response.write(content);
      },
      { limits: { bytes: 400_000 } },
    );
    expect(error).toMatchObject({ message: expect.stringMatching(/sends more than the 0.4 MB allowed$/) });
  });

  test('it was called off', async () => {
    const called = new AbortController();
    const error = await failing((_, response) => response.write(content, () => called.abort(new Error('enough'))), {
      signal: called.signal,
    });
    expect(error).toMatchObject({ message: 'enough' });
  });

  test.skipIf(!existsSync('/dev/full'))('the disk is full', async () => {
    symlinkSync('/dev/full', draft);
    const error = await failing((_, response) => response.end(content));
    expect(error).toMatchObject({
      code: 'DEVCLUSTER_DISK_FULL',
      message: expect.stringContaining(`the disk is full at ${folder}`),
    });
  });
});

describe('a proxy', () => {
  test('is asked for the file when the environment names one', async () => {
    await using proxy = await serve((_, response) => response.end(content));
    const url = 'http://release.invalid/file';
    await expect(download(url, { environment: { http_proxy: proxy.origin } })).resolves.toBe(content.length);
    expect(proxy.asked).toEqual([url]);
  });

  test('is asked for a tunnel when the file comes over TLS', async () => {
    await using proxy = await serve((_, response) => response.end());
    const asked = download('https://release.invalid/file', { environment: { HTTPS_PROXY: proxy.origin } });
    await expect(asked).rejects.toMatchObject({ code: 'DEVCLUSTER_DOWNLOAD_FAILED' });
    expect(proxy.asked).toEqual(['release.invalid:443']);
  });

  test('is left out for the hosts that the environment excepts', async () => {
    await using proxy = await serve((_, response) => response.end());
    const environment = { HTTP_PROXY: proxy.origin, NO_PROXY: '127.0.0.1' };
    await expect(downloadFrom((_, response) => response.end(content), { environment })).resolves.toBe(content.length);
    expect(proxy.asked).toEqual([]);
  });
});

test('a redirect leads from https to https only', () => {
  const from = new URL('https://github.com/a/b');
  expect(redirectTarget(from, '../c').href).toBe('https://github.com/c');
  expect(redirectTarget(from, 'https://objects.example/x').href).toBe('https://objects.example/x');
  expect(() => redirectTarget(from, 'http://objects.example/x')).toThrow('without TLS');
});

test('a name that cannot be resolved is called that', () => {
  const error = Object.assign(new Error('getaddrinfo ENOTFOUND dl.k8s.io'), { code: 'ENOTFOUND' });
  expect(networkProblem(error)).toBe('cannot be found by its name');
});

describe('a host is tried once and', () => {
  test('can be downloaded from when it has the file', async () => {
    await using server = await serve((request, response) =>
      response.writeHead(request.method === 'HEAD' ? 200 : 500).end(),
    );
    await expect(tryHost(`${server.origin}/file`, {}, never)).resolves.toBeUndefined();
  });

  test('cannot when it does not have it, does not answer or is not there', async () => {
    await using absent = await serve((_, response) => response.writeHead(403).end());
    await expect(tryHost(`${absent.origin}/file`, {}, never)).resolves.toBe('answers with status 403');
    await using silent = await serve(() => undefined);
    await expect(tryHost(`${silent.origin}/file`, {}, never, 200)).resolves.toBe('did not answer within 0.2 s');
    const gone = await serve(() => undefined);
    await gone[Symbol.asyncDispose]();
    await expect(tryHost(`${gone.origin}/file`, {}, never)).resolves.toMatch(/^cannot be reached \(.*ECONNREFUSED/);
  });

  test('the try is called off with the signal’s reason', async () => {
    await using silent = await serve(() => undefined);
    const called = AbortSignal.abort(new Error('enough'));
    await expect(tryHost(`${silent.origin}/file`, {}, called)).rejects.toThrow('enough');
  });
});
