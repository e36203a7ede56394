import { expect, test } from 'vitest';
import { goVersion, packagesNewGo } from './go.ts';

test('Go’s version is read from what it says, and from nothing else', () => {
  expect(goVersion('go1.26.8\n')).toEqual([1, 26]);
  expect(goVersion('go1.19')).toEqual([1, 19]);
  expect(goVersion('')).toBeUndefined();
  expect(goVersion('devel go1.27-abc')).toBeUndefined();
});

test.each([
  ['ID=debian\nVERSION_ID="13"\n', true],
  ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n', false],
  ['ID=debian\nVERSION_CODENAME=sid\n', true],
  ['ID=ubuntu\nVERSION_ID="24.04"\nID_LIKE=debian\n', true],
  ['ID=ubuntu\nVERSION_ID="25.10"\n', true],
  ['ID=ubuntu\nVERSION_ID="22.04"\n', false],
  ['ID=fedora\nVERSION_ID=42\n', false],
  ['', false],
])('Go is installed from packages only where they have one that is new enough: %j', (osRelease, has) => {
  expect(packagesNewGo(osRelease)).toBe(has);
});
