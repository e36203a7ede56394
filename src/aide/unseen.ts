import { createHash } from 'node:crypto';

/**
 * What of a path AIDE did not see:
 * - `Path`: nothing of it, so that it is in no database;
 * - `Content`: of a file its content, of a folder what is in it;
 * - `Attributes`: an extended attribute, the access list, the flags, the capabilities or the label, or where a link leads;
 * - `Other`: AIDE said something that is not understood; its line stands in the place of the path.
 */
type UnseenWhat = 'Path' | 'Content' | 'Attributes' | 'Other';

/** What AIDE said that it did not see. */
export interface UnseenPath {
  /** In the node's root. Each byte that is no visible ASCII, and the backslash, as `\ooo`; a long one ends in a digest. */
  readonly path: string;
  readonly what: UnseenWhat;
  /** The same as AIDE knows it, one byte a character; absent where that is not sure. */
  readonly place?: string;
}

/** All that AIDE said in one run that it did not see. */
export interface Unseen {
  readonly count: number;
  /** Hex; equal for the same, in whatever order AIDE’s threads came upon it. */
  readonly digest: string;
  /** By path; all of them, or the first `KEPT` where there are more. */
  readonly paths: readonly UnseenPath[];
}

/** Paths that are kept. Beyond that they are counted. */
const KEPT = 256;
/** No path is longer than 4096 bytes, and AIDE goes into no folder beyond that. */
const LINE_BYTES = 16 * 1024;
const PATH_CHARACTERS = 200;

/**
 * Reads AIDE’s standard error and counts what it says that it did not see. AIDE goes on and ends as if nothing were amiss
 * where it cannot open a file, and compares of it what it has. Names may have line breaks, which AIDE up to 0.19.1 writes as
 * they are; so what is not known to be harmless counts, and no name can make another line look harmless.
 */
export class UnseenTally {
  readonly #root: string;
  #rest = '';
  #isOverlong = false;
  #lines = 0;
  #sum = 0n;
  /** By key; more than `KEPT` now and then. */
  #kept = new Map<string, UnseenPath>();
  #isWhole = true;

  /** @param root where the node’s root is seen; empty: there */
  constructor(root = '') {
    this.#root = Buffer.from(root === '/' ? '' : root).toString('latin1');
  }

  take(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#takeLine(line);
    if (this.#rest.length > LINE_BYTES) {
      if (!this.#isOverlong) this.#add({ what: 'Other', path: shown(this.#rest) });
      this.#isOverlong = true;
      this.#rest = '';
    }
  }

  end(): Unseen {
    this.#takeLine(this.#rest);
    this.#rest = '';
    if (this.#isWhole && this.#kept.size <= KEPT) return unseenOf(this.#kept.values());
    this.#cut();
    return { count: this.#lines, digest: hexOf(this.#sum), paths: [...this.#kept.values()] };
  }

  #takeLine(line: string): void {
    const isRest = this.#isOverlong;
    this.#isOverlong = false;
    if (isRest || line.trim() === '' || isHarmless(line, this.#root)) return;
    this.#add(readUnseen(line, this.#root));
  }

  #add(unseen: UnseenPath): void {
    const key = keyOf(unseen);
    this.#lines += 1;
    this.#sum += digestOf(key);
    this.#kept.set(key, unseen);
    if (this.#kept.size > 2 * KEPT) this.#cut();
  }

  #cut(): void {
    const sorted = [...this.#kept].sort(inOrder);
    if (sorted.length > KEPT) this.#isWhole = false;
    this.#kept = new Map(sorted.slice(0, KEPT));
  }
}

/** What these come to, if they are all. */
export function unseenOf(paths: Iterable<UnseenPath>): Unseen {
  const all = new Map([...paths].map((each) => [keyOf(each), each] as const));
  const sorted = [...all].sort(inOrder);
  const sum = sorted.reduce((total, [key]) => total + digestOf(key), 0n);
  return { count: sorted.length, digest: hexOf(sum), paths: sorted.map(([, each]) => each) };
}

/** Nothing that is told apart has the same. */
export function keyOf({ path, what }: Pick<UnseenPath, 'path' | 'what'>): string {
  return `${path} ${what}`;
}

function inOrder([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

function digestOf(key: string): bigint {
  return BigInt(`0x${createHash('sha256').update(key).digest('hex')}`);
}

/** A sum, since the order is not known and not all can be kept to be sorted. */
function hexOf(sum: bigint): string {
  return (sum % 2n ** 256n).toString(16).padStart(64, '0');
}

/**
 * Lines that come and say nothing of what is seen. None begins as a line of `UNSEEN` does, however a name may go on: so the
 * first piece of a line that a name has broken is not one of these.
 */
const HARMLESS: readonly RegExp[] = [
  /^(?: {2}ERROR| NOTICE): /, // what AIDE could not do at all it says by how it ends
  // Of the configuration, on a line or in an argument, and of a database.
  /^WARNING: [^\s']\S*:\d+: .* \(line: '.*'(?:, prefix: '.*')?\)$/,
  /^WARNING: [^\s']\S*: report_url '.*' already defined \(ignoring\) ?/,
  /^WARNING: file:\S+:-?\d+: /,
  /^WARNING: gethostname failed: /,
  /^WARNING: can't get current time: /,
  /^WARNING: failed to (?:start progress_updater thread|join file attributes thread) /,
  // What was to be read has been.
  /^WARNING: (?:close|closedir)\(\) failed for '/,
  // Where a rule asks for the kind of file system, AIDE says one more line.
  /^WARNING: fstatfs\(\) failed for /,
  // Of a link its own target is what counts.
  /^WARNING: Dead symlink detected at /,
  // To find moved files by what is in a compressed one.
  /^WARNING: hash calculation: gzdopen\(\) failed for /,
];

/**
 * A path that was there when its folder was read and is gone since is none that is not seen: it is not there, and a difference
 * if it was at the baseline.
 */
const VANISHED = /^WARNING: failed to access '.*': No such file or directory \(skipping\)$/s;

function isHarmless(line: string, root: string): boolean {
  // Only a line that begins like that of a path that is gone can have a name in it that makes its first piece look harmless;
  // how it ends is AIDE’s.
  if (line.endsWith(' (skipping)')) return VANISHED.test(line);
  if (root !== '' && line.startsWith(`WARNING: ${root}/`)) return false; // a path, and no configuration
  return HARMLESS.some((pattern) => pattern.test(line));
}

/**
 * AIDE’s warnings of what it does not see, in the order of its code. The first group is the path. What is before it has no name of
 * a file in it, and what is behind it none of its own words: a name cannot have another one taken for it.
 */
const UNSEEN: readonly (readonly [pattern: RegExp, what: UnseenWhat])[] = [
  // db_disk.c
  [/^failed to access '(.*)': .* \(skipping\)$/s, 'Path'],
  [/^fstat\(\) failed for (.*): .* \(skipping\)$/s, 'Path'],
  [/^lstat\(\) failed for '(.*)': .* \(skipping\)$/s, 'Path'],
  [/^failed to open directory '(.*)' for reading directory contents: .* \(skipping recursion\)$/s, 'Content'],
  [/^failed to open [\w ]+ '(.*)' for reading: .*\)$/s, 'Content'],
  [/^'(.*)': failed to duplicate file descriptor: .*$/s, 'Content'],
  // do_md.c
  [/^hash calculation: lseek\(\) failed to failed for '(.*)': .* \(hashsum could not be calculated\)$/s, 'Content'],
  [/^hash calculation: [a-z_]+\(\) failed for '(.*)'.* \(hashsums could not be calculated\)$/s, 'Content'],
  [/^hash calculation: failed to read file content of '(.*)': .* \(hashsums could not be calculated\)$/s, 'Content'],
  [
    /^'(.*)' has changed \(changed fields: .*\) during hash calculation.* \(discarding calculated hashsums\)$/s,
    'Content',
  ],
  [
    /^number of bytes read for hash calculation \(-?\d+\) mismatches expected [a-z]+ size \(-?\d+\) for '(.*)' \(discarding calculated hashsums\)$/s,
    'Content',
  ],
  [/^acl_get_fd\(\) failed to get ACL for '(.*)': .* \(disabling acl attribute\)$/s, 'Attributes'],
  [/^failed to get default ACL for directory '(.*)': .* \(disabling acl attribute\)$/s, 'Attributes'],
  [
    /^listxattr\(\) failed to get list of extended attribute names for '(.*)': .* \(disabling xattr attribute\)$/s,
    'Attributes',
  ],
  [
    /^lgetxattr\(\) failed to get value of extended attribute '.*?' for '(.*)': .* \(discarding extended attribute\)$/s,
    'Attributes',
  ],
  [
    /^fgetfilecon_raw\(\) failed to get SELinux security context for '(.*)': .* \(disabling selinux attribute\)$/s,
    'Attributes',
  ],
  [/^fgetflags\(\) failed to get file attributes for '(.*)': .* \(disabling e2fsattrs attribute\)$/s, 'Attributes'],
  [
    /^cap_to_text\(\) failed to get textual representation for capability state of '(.*)': .* \(disabling caps attribute\)$/s,
    'Attributes',
  ],
  [/^cap_get_fd\(\) failed to get capability state for '(.*)': .* \(disabling caps attribute\)$/s, 'Attributes'],
  // gen_list.c, hashsum.c, md.c, seltree.c
  [/^cannot compare hashsums of old:'(.*)' and new:'\1' \(no common hashsum\(s\) available\)$/s, 'Content'],
  [
    /^hashsum transition \([^)]*\) for old:'(.*)' and new:'\1': no common or transition hashsum\(s\) available$/s,
    'Content',
  ],
  [/^readlink\(\) failed for '(.*)': .*$/s, 'Attributes'],
  [/^(.*): gcry_md_enable \([^)]*\) failed for '\1'$/s, 'Content'],
  [/^unable to match the file system type restriction of .*?: file system type missing for '(.*)'$/s, 'Path'],
];

function readUnseen(line: string, root: string): UnseenPath {
  const said = line.startsWith('WARNING: ') ? line.slice('WARNING: '.length) : undefined;
  for (const [pattern, what] of said === undefined ? [] : UNSEEN) {
    const place = pattern.exec(said ?? '')?.[1];
    if (!place?.startsWith('/')) continue;
    const path = shown(place.startsWith(`${root}/`) ? place.slice(root.length) : place);
    return { path, what, ...(place.length <= PATH_CHARACTERS && { place }) };
  }
  return { path: shown(line), what: 'Other' };
}

/** Visible ASCII, so that every name can be told, and no two are told alike; cut with a digest of the whole. */
function shown(bytes: string): string {
  const text = bytes.replace(/[^!-[\]-~]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
  if (text.length <= PATH_CHARACTERS) return text;
  const digest = createHash('sha256').update(bytes, 'latin1').digest('hex').slice(0, 16);
  return `${text.slice(0, PATH_CHARACTERS - 20)}...~${digest}`;
}
