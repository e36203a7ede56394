import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { shippedText } from '../src/operator/admission/shipped.ts';

const COMMON = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  outExtension: { '.js': '.mjs' },
  legalComments: 'none',
  logLevel: 'silent',
} satisfies BuildOptions;

// Bundled CommonJS packages call require() for Node's own modules.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/**
 * Writes the bundles that the image carries into `directory`: `fio.mjs` with its lazily loaded pieces, and `daemon.mjs`,
 * on its own and without white space, because every node keeps it in memory; and the admission policies that belong to it.
 */
export async function bundle(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await build({
    ...COMMON,
    entryPoints: ['src/bin/fio.ts'],
    splitting: true,
    banner: { js: REQUIRE },
    outdir: directory,
  });
  await writeFile(join(directory, 'admission.json'), await shippedText());
  await build({
    ...COMMON,
    entryPoints: ['src/bin/daemon.ts'],
    minifySyntax: true,
    minifyWhitespace: true,
    outdir: directory,
  });
}
