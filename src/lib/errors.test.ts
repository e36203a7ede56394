import { expect, test } from 'vitest';
import { explain, FioError } from './errors.ts';

test('an error is explained by its own sentence and those of its causes, outermost first', () => {
  const cause = new Error('connection refused');
  const error = new FioError('KUBE_UNREACHABLE', 'The API server cannot be reached', { cause });
  expect(explain(error)).toBe('The API server cannot be reached: connection refused');
});

test('a cause that the sentence already tells is not told twice', () => {
  const error = new FioError('X', 'It failed: disk full', { cause: new Error('disk full') });
  expect(explain(error)).toBe('It failed: disk full');
});

test('an error that is its own cause ends', () => {
  const error = new Error('loop');
  error.cause = error;
  expect(explain(error)).toBe('loop');
});

test('what is thrown without being an error is still explained', () => {
  expect(explain('plain text')).toBe('plain text');
});
