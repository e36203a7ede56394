import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Written like codes, and none: a variable of the environment, a capability, TLS cipher suites, an error of Node.js. */
const NO_CODES = /^(NODE_NAME|FIO_.*|MALLOC_ARENA_MAX|DAC_READ_SEARCH|TLS_.*|ERR_.*)$/;

/** Every text in the sources that is written like an error code. */
function codesInSources(): Set<string> {
  const files = globSync('{src,demo,devcluster,image}/**/*.ts').filter((file) => !/(\.test|fixtures)\.ts$/.test(file));
  const codes = new Set<string>();
  for (const file of files) {
    for (const [, code = ''] of readFileSync(file, 'utf8').matchAll(/'([A-Z][A-Z\d]*(?:_[A-Z\d]+)+)'/g)) {
      if (!NO_CODES.test(code)) codes.add(code);
    }
  }
  return codes;
}

function codesIn(document: string): Set<string> {
  return new Set(
    [...readFileSync(document, 'utf8').matchAll(/`([A-Z][A-Z\d]*(?:_[A-Z\d]+)+)`/g)].map(([, code = '']) => code),
  );
}

test('every error code is documented, and no code is documented that is not there', () => {
  const configuration = [...codesIn('docs/configuration.md')].filter((code) => code.startsWith('CONFIG_'));
  // USAGE has no underscore; names of variables of the environment are explained where they help.
  const documented = new Set([...codesIn('docs/errors.md'), ...configuration]);
  documented.delete('RELATED_IMAGE_OPERATOR');
  expect([...documented].sort()).toEqual([...codesInSources()].sort());
});
