import assert from 'node:assert/strict';
import { UnseenTally } from '../../../src/aide/unseen.ts';
import { unseenRecordSchema } from '../../../src/api/protocol.ts';
import { inputs } from '../fixtures.ts';
import type { Target } from '../target.ts';

// The name of a file that AIDE cannot read: up to 0.19.1 it stands in its warning as it is, line breaks included.

const warnings = (name: string) => [
  `WARNING: failed to access '/hostroot/${name}': Permission denied (skipping)`,
  `WARNING: fstat() failed for /hostroot/${name}: Stale file handle (skipping)`,
  `WARNING: failed to open regular file '/hostroot/${name}' for reading: open() failed: Permission denied (disabling attrs requiring read permissions: sha512)`,
  `WARNING: failed to open directory '/hostroot/${name}' for reading: open() failed: Permission denied (skipping recursion)`,
  `WARNING: '/hostroot/${name}' has changed (changed fields: c) during hash calculation (discarding calculated hashsums)`,
  `WARNING: hash calculation: failed to read file content of '/hostroot/${name}': Input/output error (hashsums could not be calculated)`,
  `WARNING: listxattr() failed to get list of extended attribute names for '/hostroot/${name}': Permission denied (disabling xattr attribute)`,
  `WARNING: readlink() failed for '/hostroot/${name}': Permission denied`,
  `WARNING: /hostroot/${name}: gcry_md_enable (md5) failed for '/hostroot/${name}'`,
];

const names: Target = {
  name: 'unseen-names',
  seeds: () =>
    inputs(
      'etc/passwd',
      "x': No such file or directory (skipping)\nWARNING: Dead symlink detected at y",
      "x': No such file or directory (skipping)\nWARNING: close() failed for 'y",
      "x:3: y (line: 'z')\n  ERROR: x",
      "': Permission denied (skipping)\n",
    ),
  words: [
    '\n',
    "': No such file or directory (skipping)\n",
    "WARNING: failed to access '",
    'WARNING: ',
    '  ERROR: ',
    'WARNING: Dead symlink detected at ',
    "WARNING: close() failed for '",
    "WARNING: /c:3: x (line: 'y",
    'WARNING: file:/x:1: ',
    '(skipping)',
    '(hashsums could not be calculated)',
  ],
  maxBytes: 4096,
  run(bytes) {
    const name = bytes.toString('latin1').replaceAll('\0', '').replace(/^\/+/, '');
    for (const warning of warnings(name)) {
      const tally = new UnseenTally('/hostroot');
      tally.take(Buffer.from(`${warning}\n`, 'latin1'));
      const { count, digest, paths } = tally.end();
      assert.ok(count > 0, `hidden: ${JSON.stringify(warning)}`);
      unseenRecordSchema.parse({ count, digest, paths: paths.slice(0, 32) });
    }
  },
};

export const unseenTargets: readonly Target[] = [names];
