/**
 * An error that a person may see: a stable code for tools and documentation, one plain sentence, and what caused it.
 * Rooms derive their own classes from it; `docs/errors.md` lists every code, and a test keeps the two in step.
 */
export class FioError extends Error {
  /** Stable, upper snake case, e.g. `CONFIG_UNKNOWN_GROUP`. Never reused for another meaning. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'FioError';
    this.code = code;
  }
}

/** The sentence of an error and of its causes, outermost first, joined by `: `. Never a stack trace. */
export function explain(error: unknown): string {
  const sentences: string[] = [];
  let cause: unknown = error;
  // Bounded, because an error can be its own cause.
  for (let depth = 0; cause !== undefined && depth < 5; depth += 1) {
    const sentence = cause instanceof Error ? cause.message : String(cause);
    if (sentence !== '' && !sentences.some((said) => said.includes(sentence))) sentences.push(sentence);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return sentences.join(': ');
}
