import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FIXTURES = fileURLToPath(new URL('../fixtures/aide/', import.meta.url));

/** A recorded file of AIDE, or a configuration of somebody's. */
export function fixture(path: string): Buffer {
  return readFileSync(`${FIXTURES}${path}`);
}

/** Texts and values as the bytes of an input. */
export function inputs(...values: readonly (string | Buffer | object)[]): Buffer[] {
  return values.map((value) => {
    if (Buffer.isBuffer(value)) return value;
    return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  });
}
