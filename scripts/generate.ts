import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { z } from 'zod';
import { customResourceDefinitions } from '../src/api/crd.ts';
import { findingsPageSchema } from '../src/api/findings.ts';
import { daemonShapePolicy } from './daemon-shape.ts';

// Writes the files that are made from the schemas and from what the operator makes. With --check it writes nothing and exits 1 when one is out of date.
const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');

let stale = 0;
for (const [file, text] of generatedFiles()) {
  const before = await readFile(file, 'utf8').catch(() => undefined);
  if (before === text) continue;
  stale += 1;
  const name = relative(root, file);
  if (check) console.error(`${name} is out of date; run: npm run generate`);
  else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    console.log(`${name} written`);
  }
}
if (check && stale > 0) process.exitCode = 1;

function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const crd of customResourceDefinitions()) {
    const { metadata } = crd as { metadata: { name: string } };
    const file = `${root}deploy/crds/${metadata.name.split('.')[0]}.yaml`;
    files.set(file, `# Generated from src/api by npm run generate.\n${stringify(crd, { lineWidth: 120 })}`);
  }
  const schema = { title: 'A page of structured findings', ...z.toJSONSchema(findingsPageSchema) };
  files.set(`${root}docs/findings.schema.json`, `${JSON.stringify(schema, undefined, 2)}\n`);
  files.set(`${root}deploy/admission/daemon-shape-policy.yaml`, daemonShapePolicy());
  return files;
}
