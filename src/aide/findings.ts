import { HOST_ROOT } from './config/host-path.ts';
import { pathBytes, showPath } from './path.ts';
import type { FileChange, Report, ReportCounts } from './report-types.ts';

/** What happened to one file, fit for tools and for a terminal. */
export interface Finding {
  /** The node's own path. What is not plain is escaped (`showPath`), a backslash too: different names stay different. */
  path: string;
  /** The path's bytes, base64, where the path has escapes. */
  pathBytes?: string;
  change: FileChange['change'];
  type: FileType;
  /** What differs; empty for a file that was added or removed. */
  attributes: FindingAttribute[];
}

interface FindingAttribute {
  /** As AIDE names it, e.g. `perm`, `sha512`. */
  name: string;
  /** Values are escaped as paths are; several lines, as of an ACL, have line breaks between them. */
  old?: string;
  new?: string;
  /** One of the values was too long and is not whole. */
  cut?: true;
}

export const FILE_TYPES = [
  'file',
  'directory',
  'link',
  'character-device',
  'block-device',
  'fifo',
  'socket',
  'changed',
  'other',
] as const;
type FileType = (typeof FILE_TYPES)[number];

/** Bytes of a page at most, and pages of a report. */
export const PAGE_BYTES = 512 * 1024;
export const PAGES = 32;
/** Of a page, for what stands above its findings. */
const HEAD_BYTES = 8 * 1024;
/** Characters of one value that are shown. */
const VALUE_LIMIT = 1024;
/** Bytes of a path. Linux takes 4096; what is longer is none, and is left out. */
const PATH_LIMIT = 8192;

/** What to ask of `readReport` for as many files as the pages have room for, and no more memory than that takes. */
export const FINDINGS_LIMITS = { maxSize: 128 * 1024 ** 2, maxFiles: 40_000, maxText: 20 * 1024 ** 2, fair: true };

/** aide.conf(5), report_summarize_changes: `!` says that the type itself is another one now. */
const TYPES: Readonly<Record<string, FileType>> = {
  f: 'file',
  d: 'directory',
  l: 'link',
  c: 'character-device',
  b: 'block-device',
  p: 'fifo',
  s: 'socket',
  '!': 'changed',
};

/** Bounds that a test may set lower. */
export interface PageLimits {
  readonly bytes?: number;
  readonly pages?: number;
}

/**
 * A report's findings as JSON texts, one for each page: `head` in each, the page's number, how many files there are in all
 * and how many of them the pages have, then the findings. At least one page.
 */
export function findingsPages(report: Report, head: object, limits: PageLimits = {}): string[] {
  const pages = new Pages((limits.bytes ?? PAGE_BYTES) - HEAD_BYTES, limits.pages ?? PAGES);
  const listed = { added: 0, changed: 0, removed: 0 };
  for (const file of report.files) {
    const finding = findingOf(file);
    if (finding && pages.add(JSON.stringify(finding))) listed[file.change] += 1;
  }
  const { added, changed, removed } = report.counts satisfies ReportCounts;
  const totals = { added, changed, removed };
  return pages.all.map((findings, index) => {
    const whole = { ...head, page: index + 1, pages: pages.all.length, totals, listed };
    return `${JSON.stringify(whole).slice(0, -1)},"findings":[\n${findings.join(',\n')}\n]}\n`;
  });
}

/** Texts, as many as fit, in the order in which they come. */
class Pages {
  readonly all: string[][] = [[]];
  readonly #bytes: number;
  readonly #pages: number;
  #room: number;

  constructor(bytes: number, pages: number) {
    this.#bytes = bytes;
    this.#pages = pages;
    this.#room = bytes;
  }

  add(text: string): boolean {
    const bytes = Buffer.byteLength(text) + 2;
    if (bytes > this.#bytes) return false;
    if (bytes > this.#room) {
      if (this.all.length === this.#pages) return false;
      this.all.push([]);
      this.#room = this.#bytes;
    }
    this.#room -= bytes;
    this.all.at(-1)?.push(text);
    return true;
  }
}

function findingOf({ path: whole, change, summary, attributes }: FileChange): Finding | undefined {
  const path = withoutHostRoot(whole);
  const bytes = pathBytes(path);
  if (bytes.length > PATH_LIMIT) return undefined;
  const shown = showPath(path, Number.POSITIVE_INFINITY);
  return {
    path: shown,
    ...(shown !== path && { pathBytes: bytes.toString('base64') }),
    change,
    type: TYPES[summary[0] ?? ''] ?? 'other',
    attributes: attributes.map(attributeOf),
  };
}

function attributeOf({ name, old: before, new: after }: FileChange['attributes'][number]): FindingAttribute {
  const values = { ...(before && { old: shownValue(before) }), ...(after && { new: shownValue(after) }) };
  const isCut = values.old?.cut || values.new?.cut;
  return {
    name: showPath(name, 64),
    ...(values.old && { old: values.old.text }),
    ...(values.new && { new: values.new.text }),
    ...(isCut && { cut: true }),
  };
}

function shownValue(lines: readonly string[]): { text: string; cut: boolean } {
  // One character more than is shown says whether there is more.
  const text = lines.map((line) => showPath(line, VALUE_LIMIT + 1)).join('\n');
  // Where the reader had no room for more it says so in a line of its own.
  const isCut = text.length > VALUE_LIMIT || lines.at(-1) === '…' || lines.some((line) => line.length > VALUE_LIMIT);
  return isCut ? { text: text.slice(0, VALUE_LIMIT).toWellFormed(), cut: true } : { text, cut: false };
}

function withoutHostRoot(path: string): string {
  if (path === HOST_ROOT) return '/';
  return path.startsWith(`${HOST_ROOT}/`) ? path.slice(HOST_ROOT.length) : path;
}
