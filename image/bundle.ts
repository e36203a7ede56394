import { rm } from 'node:fs/promises';
import { type BuildOptions, build } from 'esbuild';

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
 * on its own and without white space, because every node keeps it in memory.
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
  await build({
    ...COMMON,
    entryPoints: ['src/bin/daemon.ts'],
    minifySyntax: true,
    minifyWhitespace: true,
    outdir: directory,
  });
}
