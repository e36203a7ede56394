import { expect, test } from 'vitest';
import { type Request, Requests } from './requests.ts';

function counted() {
  const counts = { begun: 0, over: 0 };
  const requests = new Requests(() => {
    counts.over += 1;
  });
  return {
    counts,
    order: (request: Request, ...nodes: readonly string[]) => {
      for (const node of nodes) if (requests.ordered(request, node)) counts.begun += 1;
    },
    carryOut: (request: Request, node: string, pending: readonly string[] = []) =>
      requests.carriedOut(request, node, () => pending),
    forget: (node: string) => requests.forget(node),
  };
}

const demand = (id: string): Request => ({ integrity: 'uid', id, isConfiguration: false });
const configuration = (id: string): Request => ({ integrity: 'uid', id, isConfiguration: true });

test('a request counts once, and is over with its last node', () => {
  const { counts, order, carryOut } = counted();
  order(demand('one'), 'a', 'b');
  carryOut(demand('one'), 'a');
  expect(counts).toEqual({ begun: 1, over: 0 });
  carryOut(demand('one'), 'b');
  expect(counts).toEqual({ begun: 1, over: 1 });
});

test('a node that is late, because it was held, counts for none anew', () => {
  const { counts, order, carryOut } = counted();
  for (const node of ['a', 'b']) {
    order(demand('one'), node);
    carryOut(demand('one'), node);
  }
  expect(counts).toEqual({ begun: 1, over: 1 });
});

test('each request and each changed configuration counts, also one that was there before', () => {
  const { counts, order, carryOut } = counted();
  for (const request of [demand('one'), configuration('x'), demand('two'), configuration('y'), configuration('x')]) {
    order(request, 'a', 'b');
    for (const node of ['a', 'b']) carryOut(request, node);
  }
  expect(counts).toEqual({ begun: 5, over: 5 });
});

test('one of before this operator began is over when all its nodes have done it', () => {
  const { counts, carryOut } = counted();
  carryOut(demand('one'), 'a', ['a', 'b']);
  expect(counts.over).toBe(0);
  carryOut(demand('one'), 'b');
  expect(counts).toEqual({ begun: 0, over: 1 });
});

test('a node that is gone is waited for no longer', () => {
  const { counts, order, carryOut, forget } = counted();
  order(demand('one'), 'a', 'b');
  carryOut(demand('one'), 'a');
  forget('b');
  expect(counts.over).toBe(1);
});
