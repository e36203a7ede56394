import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { fileIntegrityStatusSchema } from '../../src/api/fileintegrity.ts';
import { NODE_STATES, nodeStatusFieldsSchema } from '../../src/api/nodestatus.ts';

// docs/status.md says what each word of a status means. This keeps it and the code the same.
const page = await readFile(new URL('../../docs/status.md', import.meta.url), 'utf8');
const explained = new Set([...page.matchAll(/`([\w.]+)`/g)].map(([, word = '']) => word));

/** Words of Kubernetes and of orders, and the end of a reason. */
const OTHERS = new Set(['True', 'False', 'Unknown', 'Annotation', 'Initial', 'TooLong']);

test.each(['nodes/state.ts', 'nodes/alarms.ts', 'fileintegrity/status.ts', 'fileintegrity/summary.ts'])(
  'every condition, reason and event that %s knows is explained',
  async (file) => {
    const code = await readFile(new URL(`../../src/operator/${file}`, import.meta.url), 'utf8');
    const words = [...code.matchAll(/'([A-Z][a-z]+(?:[A-Z][a-z]+)*)'/g)].map(([, word = '']) => word);
    expect(words.length).toBeGreaterThan(2);
    expect([...new Set(words)].filter((word) => !explained.has(word) && !OTHERS.has(word))).toEqual([]);
  },
);

test('every state, every count and every field of a node’s status is explained', () => {
  const counts = Object.keys(fileIntegrityStatusSchema.shape.nodes.unwrap().shape);
  const names = [...NODE_STATES, ...counts, ...Object.keys(nodeStatusFieldsSchema.shape)];
  expect(names.filter((name) => !explained.has(name) && !explained.has(`nodes.${name}`))).toEqual([]);
});
