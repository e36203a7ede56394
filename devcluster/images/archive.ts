import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../lib/run.ts';

/**
 * Makes an OCI archive of an image that holds one program and nothing else. Format: OCI image layout 1.0.0 in a tar
 * file, the reference in containerd's annotation.
 */
export async function makeProgramImage(
  program: string,
  reference: string,
  archive: string,
  signal?: AbortSignal,
): Promise<void> {
  const work = `${archive}.draft`;
  rmSync(work, { recursive: true, force: true });
  const blobs = join(work, 'layout', 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  mkdirSync(join(work, 'root'));
  try {
    copyFileSync(program, join(work, 'root', 'program'));
    chmodSync(join(work, 'root', 'program'), 0o755);
    const layer = join(work, 'layer.tar');
    await mustRun(
      [
        'tar',
        '--sort=name',
        '--mtime=@0',
        '--owner=0',
        '--group=0',
        '--numeric-owner',
        '-C',
        join(work, 'root'),
        '-cf',
        layer,
        '.',
      ],
      signal ? { signal } : {},
    );
    const add = (content: Buffer | string, mediaType: string) => {
      const digest = createHash('sha256').update(content).digest('hex');
      writeFileSync(join(blobs, digest), content);
      return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(content) };
    };
    const tar = add(readFileSync(layer), 'application/vnd.oci.image.layer.v1.tar');
    const config = add(JSON.stringify(imageConfig(tar.digest)), 'application/vnd.oci.image.config.v1+json');
    const manifestType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = add(
      JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [tar] }),
      manifestType,
    );
    const annotations = { 'io.containerd.image.name': reference };
    writeFileSync(join(work, 'layout', 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    const index = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ ...manifest, annotations }],
    };
    writeFileSync(join(work, 'layout', 'index.json'), JSON.stringify(index));
    await mustRun(
      ['tar', '-C', join(work, 'layout'), '-cf', archive, 'oci-layout', 'index.json', 'blobs'],
      signal ? { signal } : {},
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function imageConfig(layer: string): object {
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: ['/program'], User: '65534:65534' },
    rootfs: { type: 'layers', diff_ids: [layer] },
  };
}
