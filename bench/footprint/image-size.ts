import { type FileHandle, open } from 'node:fs/promises';
import { FioError } from '../../src/lib/errors.ts';

/** How large an image is, in bytes. */
export interface ImageSize {
  /** The archive that is loaded onto nodes. */
  readonly archive: number;
  /** All files of all layers: what a node stores of it, and what `docker images` tells. */
  readonly unpacked: number;
  /** Digest of the image's configuration, which is the image's identity on a node. */
  readonly identity: string;
}

/**
 * Measures the image in a docker-archive (docker-image-spec 1.2: a tar file with a tar file for each layer).
 * @throws FioError `BENCH_BAD_IMAGE`
 */
export async function measureImage(path: string): Promise<ImageSize> {
  await using file = await open(path, 'r');
  const { size: archive } = await file.stat();
  const members = new Map<string, TarEntry>();
  for await (const entry of entries(file, 0, archive)) members.set(entry.name, entry);
  const listed = members.get('manifest.json');
  if (listed === undefined) throw new FioError('BENCH_BAD_IMAGE', `${path} is no archive of an image`);
  const text = Buffer.alloc(listed.size);
  await file.read(text, 0, listed.size, listed.start);
  const [manifest] = JSON.parse(text.toString()) as { Config: string; Layers: string[] }[];
  let unpacked = 0;
  for (const name of manifest?.Layers ?? []) {
    const layer = members.get(name);
    if (layer === undefined) throw new FioError('BENCH_BAD_IMAGE', `The layer ${name} is not in ${path}`);
    for await (const { size } of entries(file, layer.start, layer.start + layer.size)) unpacked += size;
  }
  return { archive, unpacked, identity: /[0-9a-f]{64}/.exec(manifest?.Config ?? '')?.[0] ?? '' };
}

interface TarEntry {
  readonly name: string;
  /** Where its content begins in the file. */
  readonly start: number;
  readonly size: number;
}

const BLOCK = 512;

/** The files in a tar file that lies between two places of a file. Folders and links have no size of their own. */
async function* entries(file: FileHandle, begin: number, end: number): AsyncGenerator<TarEntry> {
  const header = Buffer.alloc(BLOCK);
  for (let at = begin; at < end; ) {
    header.fill(1);
    await file.read(header, 0, Math.min(BLOCK, end - at), at);
    if (header[0] === 0) return;
    const { name, type, size } = parseHeader(header);
    const start = at + BLOCK;
    if (type === '0' || type === '\0' || type === '7') yield { name, start, size };
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function parseHeader(header: Buffer): { name: string; type: string; size: number } {
  if (header.toString('latin1', 257, 262) !== 'ustar') {
    throw new FioError('BENCH_BAD_IMAGE', 'A layer of the image is no plain tar file');
  }
  const text = (from: number, to: number) => header.toString('latin1', from, to).split('\0')[0] ?? '';
  return { name: text(0, 100), type: String.fromCharCode(header[156] ?? 0), size: Number.parseInt(text(124, 136), 8) };
}
