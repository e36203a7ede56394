import type { JsonHandler } from './json-stream.ts';
import type { DatabaseDigest, FileChange, Report, ReportLimits } from './report-types.ts';

type Change = FileChange['change'];

/** Lines kept of one value (an ACL, a list of extended attributes; `…` follows the last), and attributes of one file. */
const MAX_LINES = 256;
const MAX_ATTRIBUTES = 64;
const MAX_DATABASES = 64;
/** UTF-16 code units kept of names and values, altogether, where each costs some more. */
const MAX_TEXT = 32 * 1024 * 1024;
const TEXT_COST = 32;

/** Puts a `Report` together from the parts of AIDE’s JSON, in the order in which they come. */
export class ReportBuilder implements JsonHandler {
  endedAt: string | undefined;
  readonly #maxFiles: number;
  readonly #path: string[] = [];
  /** What a key at the top holds, once: a second time the report is forged. */
  readonly #seen = new Set<string>();
  #forged = false;
  #texts: { start_time?: string; aide_version?: string; outline?: string } = {};
  #entries: number | undefined;
  readonly #counts: Record<Change, number> = { added: 0, removed: 0, changed: 0 };
  readonly #listed: Record<Change, number> = { added: 0, removed: 0, changed: 0 };
  readonly #files = new Map<string, Omit<FileChange, 'attributes'> & { attributes: Attribute[] }>();
  readonly #databases: DatabaseDigest[] = [];
  readonly #fair: boolean;
  /** Files that are kept of each kind. */
  #shares: Readonly<Record<Change, number>> | undefined;
  readonly #kept: Record<Change, number> = { added: 0, removed: 0, changed: 0 };
  #room: number;

  constructor(maxFiles: number, { maxText = MAX_TEXT, fair = false }: Pick<ReportLimits, 'maxText' | 'fair'> = {}) {
    this.#maxFiles = maxFiles;
    this.#fair = fair;
    this.#room = maxText;
  }

  open(): void {
    // The key of what opens is on the path already; inside an array its elements have none.
    this.#path.push('');
  }

  close(): void {
    this.#path.pop();
  }

  key(name: string): void {
    const depth = this.#path.length;
    this.#path[depth - 1] = name;
    if (depth !== 1) return;
    if (this.#seen.has(name)) this.#forged = true;
    this.#seen.add(name);
  }

  value(text: string): void {
    const [top = '', name = '', attribute = '', side = ''] = this.#path;
    switch (top) {
      case 'start_time':
      case 'aide_version':
      case 'outline':
        if (this.#path.length === 1) this.#texts[top] ??= text;
        return;
      case 'end_time':
        if (this.#path.length === 1) this.endedAt ??= text;
        return;
      case 'number_of_entries':
        if (this.#path.length === 2) this.#takeCount(name, text);
        return;
      case 'added':
      case 'removed':
      case 'changed':
        // With report_summarize_changes=no these are arrays of names.
        if (this.#path.length === 2) this.#takeFile(top, name === '' ? text : name, name === '' ? '' : text);
        return;
      case 'details':
        if (this.#path.length >= 4) this.#takeDetail(name, attribute, side, text);
        return;
      case 'databases':
        if (this.#path.length === 3) this.#takeDatabase(name, attribute, text);
        return;
      default:
        return;
    }
  }

  #takeCount(name: string, text: string): void {
    const count = Number(text);
    if (this.#forged || !Number.isSafeInteger(count) || count < 0) return;
    if (this.#seen.has(`number_of_entries ${name}`)) this.#forged = true;
    else if (name === 'total') this.#entries = count;
    else if (isChange(name)) this.#counts[name] = count;
    this.#seen.add(`number_of_entries ${name}`);
  }

  #takeFile(change: Change, path: string, summary: string): void {
    this.#listed[change] += 1;
    if (this.#kept[change] >= this.#shareOf(change) || this.#files.size >= this.#maxFiles) return;
    if (!this.#hasRoomFor(path, summary)) return;
    if (this.#files.has(path)) this.#forged = true;
    else {
      this.#files.set(path, { path, change, summary, attributes: [] });
      this.#kept[change] += 1;
    }
  }

  /** The counts precede the files. */
  #shareOf(change: Change): number {
    if (!this.#fair) return this.#maxFiles;
    this.#shares ??= fairShares(this.#counts, this.#maxFiles);
    return this.#shares[change];
  }

  #takeDetail(path: string, name: string, side: string, text: string): void {
    if (side !== 'old' && side !== 'new') return;
    const file = this.#files.get(path);
    if (file === undefined) return;
    let attribute = file.attributes.at(-1);
    if (attribute?.name !== name) {
      if (file.attributes.length >= MAX_ATTRIBUTES || !this.#hasRoomFor(name)) return;
      attribute = { name };
      file.attributes.push(attribute);
    }
    const lines = attribute[side] ?? [];
    if (lines.length < MAX_LINES && this.#hasRoomFor(text)) lines.push(text);
    // What is missing must not look as if it were not there.
    else if (lines.at(-1) !== '…') lines.push('…');
    attribute[side] = lines;
  }

  /** Takes the room that the texts need. Once there was too little, there is none. */
  #hasRoomFor(...texts: readonly string[]): boolean {
    for (const text of texts) this.#room -= text.length + TEXT_COST;
    return this.#room >= 0;
  }

  #takeDatabase(path: string, algorithm: string, base64: string): void {
    if (this.#databases.length >= MAX_DATABASES) return;
    this.#databases.push({ path, algorithm, digest: Buffer.from(base64, 'base64').toString('hex') });
  }

  /** Nothing twice that must be there once, and as many files listed as counted. */
  isConsistent(): boolean {
    if (this.#forged || this.#entries === undefined) return false;
    const kinds = ['added', 'removed', 'changed'] as const;
    // A report_level below list_entries lists none.
    if (!kinds.some((kind) => this.#seen.has(kind))) return true;
    return kinds.every((kind) => this.#listed[kind] === this.#counts[kind]);
  }

  report(): Report {
    const { start_time: startedAt, aide_version: aideVersion, outline } = this.#texts;
    const listed = this.#listed.added + this.#listed.removed + this.#listed.changed;
    return {
      ...(aideVersion === undefined ? {} : { aideVersion }),
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(this.endedAt === undefined ? {} : { endedAt: this.endedAt }),
      ...(outline === undefined ? {} : { outline }),
      ...(this.#entries === undefined ? {} : { entries: this.#entries }),
      counts: { ...this.#counts },
      files: [...this.#files.values()],
      omitted: listed - this.#files.size,
      databases: this.#databases,
    };
  }
}

/** How many of each kind have room, so that what one kind does not need goes to the others. */
function fairShares(counts: Readonly<Record<Change, number>>, room: number): Record<Change, number> {
  const shares = { added: 0, removed: 0, changed: 0 };
  let left = room;
  const fewestFirst = (['added', 'removed', 'changed'] as const).toSorted((one, other) => counts[one] - counts[other]);
  for (const [index, change] of fewestFirst.entries()) {
    shares[change] = Math.min(counts[change], Math.floor(left / (fewestFirst.length - index)));
    left -= shares[change];
  }
  return shares;
}

/** An `AttributeChange` that still grows. */
interface Attribute {
  readonly name: string;
  old?: string[];
  new?: string[];
}

function isChange(name: string): name is Change {
  return name === 'added' || name === 'removed' || name === 'changed';
}
