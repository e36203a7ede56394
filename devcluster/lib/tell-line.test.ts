import { expect, test } from 'vitest';
import { lineTeller } from './tell-line.ts';

function told(isTTY: boolean, lines: readonly string[]): string {
  let text = '';
  const tell = lineTeller({
    isTTY,
    write: (part: string) => {
      text += part;
    },
  });
  for (const line of lines) tell(line);
  return text;
}

test('on a terminal a passing line gives its place to the next one', () => {
  expect(told(true, ['build', '  1 of 9 …', '  2 of 9 …', '  done'])).toBe(
    'build\n  1 of 9 …\r\x1b[K  2 of 9 …\r\x1b[K  done\n',
  );
});

test('elsewhere each line stays', () => {
  expect(told(false, ['build', '  1 of 9 …', '  done'])).toBe('build\n  1 of 9 …\n  done\n');
});
