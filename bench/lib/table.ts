/** A cell: text goes to the left, what begins with a digit to the right. */
export type Row = readonly string[];

/** Lines of columns that are as wide as they must be, with a rule below the head. */
export function renderTable(head: Row, rows: readonly Row[]): string {
  const all = [head, ...rows];
  const columns = Math.max(...all.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...all.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: Row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return isNumber(rows, column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(head), rule, ...rows.map(line)].join('\n');
}

function isNumber(rows: readonly Row[], column: number): boolean {
  const cells = rows.map((row) => row[column] ?? '').filter((cell) => cell !== '');
  return cells.length > 0 && cells.every((cell) => /^-?[\d.]+$/.test(cell));
}

/** Bytes in MB (10⁶ bytes), e.g. `15.9`. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** What a figure is compared with, and how it compares: `at most 16, met`. */
export function besideLimit(value: number, limit: number, unit = ''): string {
  return `at most ${limit}${unit}, ${value <= limit ? 'met' : 'NOT met'}`;
}
