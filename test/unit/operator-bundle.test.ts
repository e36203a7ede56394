import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';
import { bundle } from '../../image/bundle.ts';
import { readShipped, shippedText } from '../../src/operator/admission/shipped.ts';

test('an image carries the admission policies that belong to it, and its operator reads them there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fio-bundle-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  await bundle(directory);
  expect(readFileSync(join(directory, 'admission.json'), 'utf8')).toBe(await shippedText());
  // The same code as in the bundle, at the same place, where deploy/ is not.
  const outfile = join(directory, 'shipped.mjs');
  const external = ['yaml'];
  await build({
    entryPoints: ['src/operator/admission/shipped.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    external,
    outfile,
  });
  const bundled = (await import(pathToFileURL(outfile).href)) as { readShipped: typeof readShipped };
  expect(await bundled.readShipped()).toEqual(await readShipped());
});
