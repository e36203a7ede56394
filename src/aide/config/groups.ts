/** Attributes and groups of attributes that AIDE 0.19 knows by itself (aide.conf(5), ATTRIBUTES and DEFAULT GROUPS). */
const BUILT_IN = new Set(
  [
    'p ftype i l n u g s b m a c S I growing compressed ANF ARF fstype',
    'md5 sha1 sha256 sha512 rmd160 gost stribog256 stribog512 sha512_256 sha3_256 sha3_512',
    'acl selinux xattrs e2fsattrs caps',
    'R L > H X E',
  ]
    .join(' ')
    .split(' '),
);

/** Whether AIDE knows the name without a definition. */
export function isBuiltInGroup(name: string): boolean {
  return BUILT_IN.has(name);
}

/** Checksums that the image’s AIDE does not have (dropped in 0.17 and 0.19). */
const DROPPED_CHECKSUMS = new Set(['tiger', 'haval', 'crc32', 'crc32b', 'whirlpool', 'md2', 'md4']);

/** Whether the name is a checksum of an earlier AIDE. */
export function isDroppedChecksum(name: string): boolean {
  return DROPPED_CHECKSUMS.has(name);
}
