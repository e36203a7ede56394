import { type Profiler, Session } from 'node:inspector';
import { sep } from 'node:path';

/** Tells which inputs reach something in the sources that none before them did. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /**
   * Of the inputs that were run since the last call, those that reached something new. To ask after each input would take
   * more time than the inputs do: only where all together did, each is run again.
   */
  async pioneers(inputs: readonly Buffer[], run: (input: Buffer) => Promise<unknown>): Promise<Buffer[]> {
    const fresh = new Set([...this.#take()].filter((block) => !this.#seen.has(block)));
    const found: Buffer[] = [];
    for (const input of fresh.size > 0 ? inputs : []) {
      await run(input);
      const reached = [...this.#take()].filter((block) => fresh.has(block) && !this.#seen.has(block));
      if (reached.length > 0) found.push(input);
      for (const block of reached) this.#seen.add(block);
    }
    for (const block of fresh) this.#seen.add(block);
    return found;
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
