/** Goes along one line from left to right; every pattern it is given must be sticky (`y`). */
export class Scanner {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Takes what matches here, which may be nothing. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.#position;
    const taken = pattern.exec(this.#text)?.[0] ?? '';
    this.#position += taken.length;
    return taken;
  }

  /** Takes the first of the words that stands here. */
  takeWord<Word extends string>(words: readonly Word[]): Word | undefined {
    const word = words.find((candidate) => this.#text.startsWith(candidate, this.#position));
    this.#position += word?.length ?? 0;
    return word;
  }

  /** Takes all that is left. */
  rest(): string {
    const rest = this.#text.slice(this.#position);
    this.#position = this.#text.length;
    return rest;
  }

  peek(length = 1): string {
    return this.#text.slice(this.#position, this.#position + length);
  }

  get atEnd(): boolean {
    return this.#position >= this.#text.length;
  }
}
