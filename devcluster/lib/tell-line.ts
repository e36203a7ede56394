/** What a line goes to: standard output or error, as a rule. */
export interface LineStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** How often long work says how far it is, in milliseconds: a person looks, a log is read later. */
export function tellEveryMs({ isTTY = false }: Pick<LineStream, 'isTTY'>): number {
  return isTTY ? 5_000 : 60_000;
}

/**
 * Tells line by line. On a terminal a line that ends in `…` is passing: the next one takes its place.
 */
export function lineTeller(stream: LineStream): (line: string) => void {
  let isPassing = false;
  return (line) => {
    const again = isPassing ? '\r\x1b[K' : '';
    isPassing = stream.isTTY === true && line.endsWith('…');
    stream.write(`${again}${line}${isPassing ? '' : '\n'}`);
  };
}
