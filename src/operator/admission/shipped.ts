import { readdir, readFile } from 'node:fs/promises';
import { type AdmissionObject, isBinding, KINDS, type Shipped } from './policies.ts';

/** Where the image has them, beside the bundle, as `shippedText` writes them. */
const BUNDLED = new URL('admission.json', import.meta.url);
/** Where they are in the project. */
const DEPLOY = new URL('../../../deploy/admission/', import.meta.url);

/** The admission policies that belong to this version of the operator: the image's, or in the project those of deploy/. */
export async function readShipped(): Promise<Shipped> {
  const bundled = await readFile(BUNDLED, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  return bundled === undefined ? readDeployed() : (JSON.parse(bundled) as Shipped);
}

/** What an image carries for `readShipped`. */
export async function shippedText(): Promise<string> {
  return `${JSON.stringify(await readDeployed())}\n`;
}

/** Files of the folder itself are installed with the operator; those in folders below it are components. */
async function readDeployed(): Promise<Shipped> {
  const { parseAllDocuments } = await import('yaml');
  const kinds = new Set(KINDS.map(({ resource }) => resource.kind));
  const read = async (file: string) => {
    const documents = parseAllDocuments(await readFile(new URL(file, DEPLOY), 'utf8'));
    const objects = documents.map((document) => document.toJS() as AdmissionObject | null);
    return objects.flatMap((object) => (object && kinds.has(object.kind) ? [object] : []));
  };
  const shipped: { required: AdmissionObject[]; optional: AdmissionObject[] } = { required: [], optional: [] };
  const files = await readdir(DEPLOY, { recursive: true });
  for (const file of files.filter((name) => name.endsWith('.yaml')).sort()) {
    shipped[file.includes('/') ? 'optional' : 'required'].push(...(await read(file)));
  }
  // A policy before its binding, whatever the files are called.
  const inOrder = (objects: AdmissionObject[]) =>
    objects.sort((one, other) => Number(isBinding(one)) - Number(isBinding(other)));
  return { required: inOrder(shipped.required), optional: inOrder(shipped.optional) };
}
