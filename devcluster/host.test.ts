import { expect, test } from 'vitest';
import { missingPackages } from './host.ts';

test('only what is missing is asked for, each package once', () => {
  const needs = [
    { program: 'sh', debianPackage: 'dash' },
    { program: 'no-such-program-1', debianPackage: 'absent' },
    { program: 'no-such-program-2', debianPackage: 'absent' },
    { program: '/no/such/file', debianPackage: 'keyring' },
  ];
  expect(missingPackages(needs)).toEqual(['absent', 'keyring']);
});
