import type { RESULT_LOG_LABEL, SET_ASIDE_LABEL } from '../../../api/keys.ts';
import type { KeptFailure } from '../../../api/nodestatus.ts';
import type { ScanMessage } from '../inbox/message.ts';

/** What is to be kept of a scan. */
export interface KeepReport {
  /** What is kept. */
  readonly scan: ScanMessage;
  /** The first config map of the message; undefined for what came by heartbeat, which has no report. */
  readonly from: { readonly name: string; readonly uid: string } | undefined;
  readonly to: string;
  /** When the scan ended, no later than now. */
  readonly probedAt: string;
  /** Label, with an empty value, of the first config map of the kept report. */
  readonly label: typeof RESULT_LOG_LABEL | typeof SET_ASIDE_LABEL;
  /** Config maps that are kept, the first included. */
  readonly parts: number;
  /** Config maps that there should be, when some are missing. */
  readonly announced?: number;
  /**
   * It takes a few requests and no long reading. All else waits until the verdict is written, and stands before that of no other
   * node: a large report, what an earlier one is compared with, moved or cleared away.
   */
  readonly isLight: boolean;
}

/** What came of it. */
export interface Kept {
  /** Config map with the first page of the structured findings. */
  readonly findings?: string;
  /** Of a Failed result: what the node status has on record from now on. */
  readonly failures?: readonly KeptFailure[];
  /** Which of these is in the place of the newest. */
  readonly newest?: KeptFailure;
  /** It is the last result. */
  readonly isResult?: true;
  /** Earlier failures to remove, once that is written. */
  readonly surplus: readonly KeptSketch[];
}

/** Where the report of a failure is kept. */
export interface KeptReport {
  readonly name: string;
  readonly namespace: string;
}

/** What a kept failure's first config map says of it. */
export interface KeptSketch {
  readonly name: string;
  /** Undefined for one that was kept before there was a history. */
  readonly sequence: number | undefined;
  readonly digest: string;
  readonly previous: string;
  /** Id of the message that it was made of. */
  readonly message: string;
  /** What was found: see `findingOf`. */
  readonly finding?: string;
  /** Config maps that it has, the first included: parts of the report, and pages of findings. */
  readonly parts: number;
  readonly pages: number;
}
