import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MOUNTS_LIMIT, type MountTable, parseMountTable } from './mount-table.ts';

const line = (id: number, parent: number, point: string, root = '/', device = `0:${id}`, type = 'tmpfs') =>
  `${id} ${parent} ${device} ${root} ${point} rw,relatime shared:1 master:2 - ${type} none rw\n`;

function table(text: string): MountTable {
  const reading = parseMountTable(text);
  if (!reading.ok) throw new Error(reading.sentence);
  return reading.table;
}

const leads = (text: string, path: string) => {
  const place = table(text).find(path);
  return place && `${place.mount.device} ${place.within}`;
};

const ROOT = line(1, 0, '/', '/', '8:1', 'ext4');

describe('a table of mounts', () => {
  test('tells where a path leads', () => {
    const text = ROOT + line(2, 1, '/usr', '/image/usr', '8:2') + line(3, 2, '/usr/lib');
    expect(leads(text, '/')).toBe('8:1 /');
    expect(leads(text, '/etc/passwd')).toBe('8:1 /etc/passwd');
    expect(leads(text, '/usr')).toBe('8:2 /image/usr');
    expect(leads(text, '/usr/bin/login')).toBe('8:2 /image/usr/bin/login');
    expect(leads(text, '/usr/lib/libc.so')).toBe('0:3 /libc.so');
    expect(leads(text, '/usr/libexec')).toBe('8:2 /image/usr/libexec');
  });

  test('where one mount lies on another, tells the upper one, in whichever order they stand', () => {
    const lines = [line(2, 1, '/usr'), line(3, 2, '/usr'), line(4, 2, '/usr/hidden')];
    for (const text of [lines.join(''), lines.toReversed().join('')]) {
      expect(leads(ROOT + text, '/usr/x')).toBe('0:3 /x');
      expect(leads(ROOT + text, '/usr/hidden/x')).toBe('0:3 /hidden/x');
    }
    expect(leads(ROOT + line(5, 1, '/'), '/etc')).toBe('0:5 /etc');
  });

  test('has names as they are, with what the kernel escapes', () => {
    const [mount] = table(`${ROOT}${line(2, 1, '/a\\040b\\011\\012\\134\\043', '/r\\040')}`).mounts.slice(1);
    expect(mount).toMatchObject({ point: '/a b\t\n\\#', root: '/r ' });
  });

  test.each([
    ['nothing', ''],
    ['another text', 'hello\n'],
    ['a line without a type', '1 0 8:1 / / rw shared:1\n'],
    ['no root', line(2, 1, '/usr')],
    ['a name that is none', `${ROOT}2 1 0:2 / usr rw - tmpfs none rw\n`],
    ['more mounts than are read', ROOT + line(2, 1, '/a').repeat(MOUNTS_LIMIT)],
  ])('of %s is none', (_, text) => {
    expect(parseMountTable(text).ok).toBe(false);
  });

  test('with mounts in a ring leads somewhere', () => {
    expect(leads(ROOT + line(2, 3, '/a') + line(3, 2, '/a') + line(2, 1, '/a'), '/a/b')).toBeDefined();
  });

  test('of any text is read or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(ROOT, '1 ', '- ', '/a', '\\057', '\n', line(2, 1, '/a'))), (pieces) => {
        const reading = parseMountTable(pieces.join(''));
        if (reading.ok) for (const { point } of reading.table.mounts) expect(reading.table.find(point)).toBeDefined();
      }),
    );
  });
});
