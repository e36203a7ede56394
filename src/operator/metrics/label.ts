/** What a code looks like: `docs/errors.md` has them. */
const CODE = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
/** There are some fifty codes; a node that makes up new ones gets no more series than this. */
const LIMIT = 100;

/**
 * Makes label values of codes: each is kept as it is while there are few. What is no code, and every new one beyond the
 * limit, becomes `OTHER`, and none at all `UNKNOWN`: whoever writes the codes cannot fill the memory of the operator, nor of
 * Prometheus.
 */
export function boundedLabel(limit = LIMIT): (code: string | undefined) => string {
  const seen = new Set<string>();
  return (code) => {
    if (code === undefined) return 'UNKNOWN';
    if (!CODE.test(code) || (seen.size >= limit && !seen.has(code))) return 'OTHER';
    seen.add(code);
    return code;
  };
}
