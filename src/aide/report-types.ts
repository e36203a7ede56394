/** What AIDE found, from its JSON report (`report_format=json`, AIDE 0.18 and later). */
export interface Report {
  readonly aideVersion?: string;
  /** As AIDE writes it, e.g. `2026-11-24 02:45:17 +0000`. */
  readonly startedAt?: string;
  /** Absent when AIDE did not come to the end of its report. */
  readonly endedAt?: string;
  /** AIDE’s one sentence. */
  readonly outline?: string;
  /** Entries in AIDE’s view of the tree; absent when the report does not come that far. */
  readonly entries?: number;
  /** From `number_of_entries`, which precedes every file name. */
  readonly counts: ReportCounts;
  /** At most `maxFiles`, in the report’s order: added, removed, changed. */
  readonly files: readonly FileChange[];
  /** Files that are in the report and not in `files`. */
  readonly omitted: number;
  /** Digests of the uncompressed databases that AIDE read or wrote. */
  readonly databases: readonly DatabaseDigest[];
}

export interface ReportCounts {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

export interface FileChange {
  /** Untrusted: any bytes but `/` and NUL. Bytes that are not UTF-8 are lone surrogates. Show it with `showPath`. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** AIDE’s summary, e.g. `f   p..    .HA.    ` (aide.conf(5), report_summarize_changes). */
  readonly summary: string;
  readonly attributes: readonly AttributeChange[];
}

/** One attribute of a file, e.g. `perm`, `sha512`, `acl`. Values as AIDE writes them; several lines for `acl`, `xattrs`. */
interface AttributeChange {
  readonly name: string;
  readonly old?: readonly string[];
  readonly new?: readonly string[];
}

export interface DatabaseDigest {
  /** As in the configuration, e.g. `/hostroot/etc/kubernetes/aide.db.gz`. */
  readonly path: string;
  /** e.g. `sha256`. */
  readonly algorithm: string;
  /** Hex. */
  readonly digest: string;
}

export interface ReportLimits {
  /** Bytes read; default 1 GiB. */
  readonly maxSize?: number;
  /** Files kept, the first of the report; default 10,000. All are counted. */
  readonly maxFiles?: number;
  /** Characters kept of names and values, each of which costs some more; default 32 Mi. */
  readonly maxText?: number;
  /** Where there are more files than are kept, keep as many of each kind: a thousand added ones hide no changed one. */
  readonly fair?: boolean;
  readonly signal?: AbortSignal;
}
