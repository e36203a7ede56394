/** What a code looks like: `docs/errors.md` has them. */
const CODE = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
/** There are some fifty codes; a node that makes up new ones gets no more series than this. */
const LIMIT = 100;

/** What clients of the API server call themselves, as a rule. */
export const OWNER = /^[\w.:@/+-]{1,64}$/;

export interface LabelBounds {
  /** Default 100. */
  readonly limit?: number;
  /** What a value looks like; default: a code. */
  readonly pattern?: RegExp;
}

/**
 * Makes label values of codes, or of other words: each is kept as it is while there are few. What does not look like one,
 * and every new one beyond the limit, becomes `OTHER`, and none at all `UNKNOWN`: whoever writes them cannot fill the memory
 * of the operator, nor of Prometheus.
 */
export function boundedLabel({
  limit = LIMIT,
  pattern = CODE,
}: LabelBounds = {}): (code: string | undefined) => string {
  const seen = new Set<string>();
  return (code) => {
    if (code === undefined) return 'UNKNOWN';
    if (!pattern.test(code) || (seen.size >= limit && !seen.has(code))) return 'OTHER';
    seen.add(code);
    return code;
  };
}
