/** How far a build is, by what `go build -v` says on standard error. */
export interface BuildProgress {
  /** Takes a line of it. */
  take(line: string): void;
  /** How far it is, for a person: `2 min 10 s: 312 of at most 1204 packages compiled`. */
  tell(elapsedMs: number): string;
}

/**
 * @param packages how many there are; undefined: nobody knows. Those that Go has in its cache are not compiled again, and
 *   not named.
 */
export function trackBuild(packages: number | undefined): BuildProgress {
  let modules = 0;
  let compiled = 0;
  return {
    take(line) {
      if (line.startsWith('go: downloading ')) modules += 1;
      else if (isPackage(line)) compiled += 1;
    },
    tell(elapsedMs) {
      const of = packages === undefined ? '' : ` of at most ${packages}`;
      const far =
        compiled === 0 && modules > 0 ? `${modules} modules downloaded` : `${compiled}${of} packages compiled`;
      return `${describeTime(elapsedMs)}: ${far}`;
    },
  };
}

/** Whether a line is the name of a package that is compiled, and no word of the compiler's. */
export function isPackage(line: string): boolean {
  return /^[\w.~@+/-]+$/.test(line);
}

function describeTime(elapsedMs: number): string {
  const seconds = Math.round(elapsedMs / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
