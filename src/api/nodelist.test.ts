import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatNodeList, listsNode, parseNodeList, unionOfNodeLists } from './nodelist.ts';

describe('a node list', () => {
  test('that is empty, or only spaces, means every node', () => {
    expect(listsNode(parseNodeList(''), 'node-1')).toBe(true);
    expect(listsNode(parseNodeList('  '), 'node-1')).toBe(true);
  });

  test('names nodes exactly: node-1 is not in a list that has node-10', () => {
    expect(listsNode(parseNodeList('node-10,node-2'), 'node-1')).toBe(false);
    expect(listsNode(parseNodeList('node-10,node-1'), 'node-1')).toBe(true);
  });

  test('may have spaces around its names and a comma too many', () => {
    expect(formatNodeList(parseNodeList(' b , a ,, '))).toBe('a,b');
  });

  test('of commas alone names no node, and does not mean every node', () => {
    expect(listsNode(parseNodeList(','), 'node-1')).toBe(false);
  });

  test('joined with a list of every node is every node', () => {
    expect(unionOfNodeLists(parseNodeList('a'), parseNodeList(''))).toEqual({ all: true });
  });

  test('joined with another has the nodes of both', () => {
    expect(formatNodeList(unionOfNodeLists(parseNodeList('b'), parseNodeList('a,b')))).toBe('a,b');
  });

  test('is read from any text without an error', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseNodeList(text)));
  });
});
