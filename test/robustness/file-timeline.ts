/** What files of a node contained and when, as far as whoever changed them can tell. */
export class FileTimeline {
  readonly #changes: { readonly path: string; readonly from: number; to: number; readonly text: string | undefined }[] =
    [];

  /** A change that begins now. Returns how to tell that it is done. */
  begin(path: string, text: string | undefined): () => void {
    const change = { path, from: Date.now(), to: Number.POSITIVE_INFINITY, text };
    this.#changes.push(change);
    return () => {
      change.to = Date.now();
    };
  }

  /** What the files contained from one time to another; undefined when one was being changed. */
  during(from: number, to: number): ReadonlyMap<string, string> | undefined {
    const files = new Map<string, string>();
    for (const change of this.#changes) {
      if (change.from > to) continue;
      if (change.to > from) return undefined;
      if (change.text === undefined) files.delete(change.path);
      else files.set(change.path, change.text);
    }
    return files;
  }
}

/** How many files differ. */
export function differ(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): number {
  const paths = new Set([...one.keys(), ...other.keys()]);
  return [...paths].filter((path) => one.get(path) !== other.get(path)).length;
}
