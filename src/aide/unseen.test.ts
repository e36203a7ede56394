import { describe, expect, test } from 'vitest';
import { type Unseen, UnseenTally, unseenOf } from './unseen.ts';

function tallyOf(text: string | Buffer, pieces = 1): Unseen {
  const tally = new UnseenTally('/hostroot');
  const bytes = Buffer.from(text);
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length; at += size) tally.take(bytes.subarray(at, at + size));
  return tally.end();
}

const told = (text: string | Buffer) => tallyOf(text).paths.map(({ path, what }) => `${what} ${path}`);

/** Warnings of AIDE 0.19 that can come while it walks, by src/*.c. */
describe('a warning of AIDE', () => {
  test.each([
    ["failed to access '/hostroot/etc/a': Permission denied (skipping)", 'Path /etc/a'],
    ["failed to access '/hostroot/etc/a': File name too long (skipping)", 'Path /etc/a'],
    ["failed to access '/hostroot/etc/a': Stale file handle (skipping)", 'Path /etc/a'],
    ['fstat() failed for /hostroot/mnt: Transport endpoint is not connected (skipping)', 'Path /mnt'],
    ["lstat() failed for '/hostroot/etc/a': Permission denied (skipping)", 'Path /etc/a'],
    [
      "failed to open regular file '/hostroot/etc/a' for reading: open() failed: Permission denied (disabling attrs requiring read permissions: sha512+acl)",
      'Content /etc/a',
    ],
    [
      "failed to open directory '/hostroot/etc/d' for reading: open() failed: Permission denied (skipping recursion)",
      'Content /etc/d',
    ],
    [
      "failed to open directory '/hostroot/etc/d' for reading: stat fields changed: ctime (skipping recursion, disabling attrs requiring read permissions: acl)",
      'Content /etc/d',
    ],
    [
      "failed to open directory '/hostroot/etc/d' for reading directory contents: Too many open files (skipping recursion)",
      'Content /etc/d',
    ],
    ["'/hostroot/etc/d': failed to duplicate file descriptor: Too many open files", 'Content /etc/d'],
    [
      "hash calculation: lseek() failed to failed for '/hostroot/etc/a': Illegal seek (hashsum could not be calculated)",
      'Content /etc/a',
    ],
    [
      "hash calculation: failed to read file content of '/hostroot/etc/a': Input/output error (hashsums could not be calculated)",
      'Content /etc/a',
    ],
    ["hash calculation: update_md() failed for '/hostroot/etc/a' (hashsums could not be calculated)", 'Content /etc/a'],
    [
      "hash calculation: fstat() failed for '/hostroot/etc/a': Stale file handle (hashsums could not be calculated)",
      'Content /etc/a',
    ],
    ["hash calculation: init_md() failed for '/hostroot/etc/a' (hashsums could not be calculated)", 'Content /etc/a'],
    [
      "'/hostroot/etc/a' has changed (changed fields: size+mtime+ctime, decreased size) during hash calculation, was file truncated while AIDE was running? (discarding calculated hashsums)",
      'Content /etc/a',
    ],
    [
      "'/hostroot/etc/a' has changed (changed fields: ctime) during hash calculation (discarding calculated hashsums)",
      'Content /etc/a',
    ],
    [
      "number of bytes read for hash calculation (2) mismatches expected stat size (4096) for '/hostroot/sys/a' (discarding calculated hashsums)",
      'Content /sys/a',
    ],
    [
      "acl_get_fd() failed to get ACL for '/hostroot/etc/a': Input/output error (disabling acl attribute)",
      'Attributes /etc/a',
    ],
    [
      "failed to get default ACL for directory '/hostroot/etc/d': Input/output error (disabling acl attribute)",
      'Attributes /etc/d',
    ],
    [
      "listxattr() failed to get list of extended attribute names for '/hostroot/etc/a': Permission denied (disabling xattr attribute)",
      'Attributes /etc/a',
    ],
    [
      "lgetxattr() failed to get value of extended attribute 'user.k' for '/hostroot/etc/a': Permission denied (discarding extended attribute)",
      'Attributes /etc/a',
    ],
    [
      "fgetfilecon_raw() failed to get SELinux security context for '/hostroot/etc/a': Permission denied (disabling selinux attribute)",
      'Attributes /etc/a',
    ],
    [
      "fgetflags() failed to get file attributes for '/hostroot/etc/a': Permission denied (disabling e2fsattrs attribute)",
      'Attributes /etc/a',
    ],
    [
      "cap_get_fd() failed to get capability state for '/hostroot/etc/a': Permission denied (disabling caps attribute)",
      'Attributes /etc/a',
    ],
    [
      "cap_to_text() failed to get textual representation for capability state of '/hostroot/etc/a': Invalid argument (disabling caps attribute)",
      'Attributes /etc/a',
    ],
    ["readlink() failed for '/hostroot/etc/l': Permission denied", 'Attributes /etc/l'],
    [
      "cannot compare hashsums of old:'/hostroot/etc/a' and new:'/hostroot/etc/a' (no common hashsum(s) available)",
      'Content /etc/a',
    ],
    [
      "hashsum transition (md5) for old:'/hostroot/etc/a' and new:'/hostroot/etc/a': no common or transition hashsum(s) available",
      'Content /etc/a',
    ],
    ["/hostroot/etc/a: gcry_md_enable (md5) failed for '/hostroot/etc/a'", 'Content /etc/a'],
    [
      "unable to match the file system type restriction of selective rule (/tmp/aide.conf:9: '/etc f=ext4 R'): file system type missing for '/hostroot/etc/a'",
      'Path /etc/a',
    ],
    ['something that a later AIDE says', 'Other WARNING:\\040something\\040that\\040a\\040later\\040AIDE\\040says'],
  ])('%s', (line, what) => {
    expect(told(`WARNING: ${line}\n`)).toEqual([what]);
  });

  test.each([
    "WARNING: failed to access '/hostroot/proc/17': No such file or directory (skipping)",
    "WARNING: close() failed for '/hostroot/etc/a' (fd: 7): Input/output error",
    "WARNING: closedir() failed for '/hostroot/etc/d': Input/output error",
    'WARNING: fstatfs() failed for /hostroot/etc/a: Function not implemented (file system type information missing)',
    'WARNING: Dead symlink detected at /hostroot/etc/l',
    'WARNING: hash calculation: gzdopen() failed for /hostroot/etc/a (uncompressed hashsums could not be calculated)',
    "WARNING: /tmp/aide.conf:3: Using 'S' attribute is DEPRECATED … (line: '/x S')",
    "WARNING: (none): report_url 'file:/x' already defined (ignoring) ",
    "WARNING: file:/hostroot/etc/kubernetes/aide.db.gz:17: duplicate database entry found for '/etc/a' (skip line)",
    'WARNING: gethostname failed: Operation not permitted',
    '  ERROR: unable to write to /x',
  ])('is none of what is not seen: %s', (line) => {
    expect(tallyOf(`${line}\n`)).toEqual({ count: 0, digest: '0'.repeat(64), paths: [] });
  });
});

describe('names', () => {
  const denied = (name: string) =>
    `WARNING: failed to open regular file '/hostroot/etc/${name}' for reading: open() failed: Permission denied (disabling attrs requiring read permissions: sha512)\n`;
  const skipped = (name: string) => `WARNING: failed to access '/hostroot/etc/${name}': Permission denied (skipping)\n`;

  test('of any bytes are visible ASCII, and no two are the same', () => {
    const bytes = Buffer.concat([
      Buffer.from("WARNING: failed to access '/hostroot/a"),
      Buffer.from([0xff, 0x1b, 0x5c]),
    ]);
    const line = Buffer.concat([bytes, Buffer.from("': Permission denied (skipping)\n")]);
    expect(told(line)).toEqual(['Path /a\\377\\033\\134']);
  });

  test('that are long are cut, and stay apart', () => {
    const paths = tallyOf(skipped(`${'d'.repeat(4000)}1`) + skipped(`${'d'.repeat(4000)}2`)).paths;
    expect(paths).toHaveLength(2);
    expect(paths.every(({ path, place }) => path.length === 200 && place === undefined)).toBe(true);
  });

  test.each([
    "x': No such file or directory (skipping)\nWARNING: Dead symlink detected at y",
    "x': No such file or directory (skipping)\nWARNING: close() failed for 'y",
    "x': No such file or directory (skipping)\nWARNING: failed to access '/hostroot/y': No such file or directory (skipping)\nWARNING: /c:3: x (line: 'z",
    "x (line: 'y')\nWARNING: Dead symlink detected at z",
    '\n  ERROR: unable to write',
    ' (skipping)\n\n NOTICE: x',
  ])('with line breaks hide nothing: %j', (name) => {
    expect(tallyOf(denied(name)).count).toBeGreaterThan(0);
    expect(tallyOf(skipped(name)).count).toBeGreaterThan(0);
    const raw = `WARNING: /hostroot/etc/${name}: gcry_md_enable (md5) failed for '/hostroot/etc/${name}'\n`;
    expect(tallyOf(raw).count).toBeGreaterThan(0);
    const changed = `WARNING: '/hostroot/etc/${name}' has changed (changed fields: ctime) during hash calculation (discarding calculated hashsums)\n`;
    expect(tallyOf(changed).count).toBeGreaterThan(0);
  });
});

describe('a name that has words of AIDE in it', () => {
  test.each([
    ["failed to access '%s': Permission denied (skipping)"],
    ['fstat() failed for %s: Permission denied (skipping)'],
    [
      "failed to open regular file '%s' for reading: open() failed: Permission denied (disabling attrs requiring read permissions: sha512)",
    ],
    ["failed to open directory '%s' for reading: open() failed: Permission denied (skipping recursion)"],
    ["hash calculation: failed to read file content of '%s': Input/output error (hashsums could not be calculated)"],
    ["hash calculation: fstat() failed for '%s': Input/output error (hashsums could not be calculated)"],
    ["'%s' has changed (changed fields: c) during hash calculation (discarding calculated hashsums)"],
    [
      "number of bytes read for hash calculation (2) mismatches expected stat size (4) for '%s' (discarding calculated hashsums)",
    ],
    ["cannot compare hashsums of old:'%s' and new:'%s' (no common hashsum(s) available)"],
  ])('is taken whole: %s', (line) => {
    const name = line.replaceAll('%s', '/hostroot/left/out');
    const place = `/hostroot/etc/${name}`;
    const tally = new UnseenTally('/hostroot');
    tally.take(Buffer.from(`WARNING: ${line.replaceAll('%s', place)}\n`));
    const [unseen] = tally.end().paths;
    expect(unseen?.what === 'Other' || (unseen?.place ?? place) === place).toBe(true);
  });
});

describe('the tally', () => {
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => {
      return `WARNING: failed to access '/hostroot/etc/${from + at}': Permission denied (skipping)\n`;
    });

  test('is the same in every order and in every piece', () => {
    const some = lines(100, 400);
    const one = tallyOf(some.join(''));
    const other = tallyOf(some.toReversed().join(''), 1000);
    expect(one).toEqual(other);
    expect(one.count).toBe(300);
  });

  test('counts a path once for each thing, as long as all are kept', () => {
    const [line = ''] = lines(1, 2);
    expect(tallyOf(line + line).count).toBe(1);
    expect(tallyOf(line + line).digest).toBe(tallyOf(line).digest);
  });

  test('of a hundred thousand keeps some, counts all, and tells any other from it', () => {
    const tally = new UnseenTally('/hostroot');
    for (let at = 0; at < 100; at += 1) tally.take(Buffer.from(lines(at * 1000, at * 1000 + 1000).join('')));
    const all = tally.end();
    expect(all.count).toBe(100_000);
    expect(all.paths.map(({ path }) => path)).toHaveLength(256);
    expect(all.paths[0]?.path).toBe('/etc/0');
    expect(unseenOf(all.paths).digest).not.toBe(all.digest);
  });

  test('takes a line that does not end for one', () => {
    const tally = new UnseenTally();
    for (let at = 0; at < 100; at += 1) tally.take(Buffer.alloc(16 * 1024, 'x'));
    tally.take(Buffer.from('\n  ERROR: x\n'));
    expect(tally.end()).toMatchObject({ count: 1, paths: [{ what: 'Other' }] });
  });
});
