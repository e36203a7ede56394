import { type Profiler, Session } from 'node:inspector';
import { sep } from 'node:path';

/** Tells which inputs reach something in the sources that none before them did. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();
  /** What the inputs that are being looked at reached as the first, as far as it is not known yet which of them. */
  readonly #fresh = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /**
   * Of the inputs that were run since the last call, those that reached something new. To ask after each input would take
   * far more time than the inputs do: where all together did, halves of them are run again, and halves of those.
   */
  async pioneers(inputs: readonly Buffer[], run: (input: Buffer) => Promise<unknown>): Promise<Buffer[]> {
    const found = this.#takeNews() ? await this.#search(inputs, run) : [];
    for (const block of this.#fresh) this.#seen.add(block);
    this.#fresh.clear();
    return found;
  }

  async #search(inputs: readonly Buffer[], run: (input: Buffer) => Promise<unknown>): Promise<Buffer[]> {
    const middle = Math.ceil(inputs.length / 2);
    const found: Buffer[] = [];
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      for (const input of half) await run(input);
      const reached = [...this.#take()].filter((block) => this.#fresh.has(block));
      if (reached.length === 0) continue;
      if (half.length > 1) found.push(...(await this.#search(half, run)));
      else {
        found.push(...half);
        for (const block of reached) this.#fresh.delete(block);
        for (const block of reached) this.#seen.add(block);
      }
    }
    return found;
  }

  #takeNews(): boolean {
    for (const block of this.#take()) if (!this.#seen.has(block)) this.#fresh.add(block);
    return this.#fresh.size > 0;
  }

  /** The blocks that ran since the last call. */
  #take(): Set<string> {
    const blocks = new Set<string>();
    this.#session.post('Profiler.takePreciseCoverage', (_error, { result }) => {
      for (const script of result) if (script.url.includes(`${sep}src${sep}`)) addBlocks(script, blocks);
    });
    return blocks;
  }
}

function addBlocks({ scriptId, functions }: Profiler.ScriptCoverage, blocks: Set<string>): void {
  for (const { ranges } of functions) {
    for (const { startOffset, endOffset, count } of ranges) {
      if (count > 0) blocks.add(`${scriptId} ${startOffset} ${endOffset}`);
    }
  }
}
