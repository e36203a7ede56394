import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { spoiled, valuesOf } from '../../../test/support/schema-values.ts';
import { outcomeSchema, receiptSchema } from '../../api/protocol.ts';
import { isMessage, isReceipt } from './kept-shapes.ts';

// A daemon takes from its disk what the operator understands, and no less: the shapes are written by hand, the protocol is not.

const receipts = valuesOf(receiptSchema);
const outcomes = valuesOf(outcomeSchema).filter((outcome) => !isSlotTaken(outcome));

/** That goes by heartbeat only. */
function isSlotTaken(outcome: unknown): boolean {
  return (outcome as { notice?: unknown }).notice === 'SlotTaken';
}

describe("what a daemon takes from its node's disk", () => {
  test.each([
    ['a receipt', receipts, receiptSchema, isReceipt],
    ['a message', outcomes, outcomeSchema, (outcome: unknown) => isMessage({ outcome })],
  ])('is what the operator takes: %s', (_, values, schema, isShape) => {
    fc.assert(
      fc.property(values, (value) => {
        expect(schema.safeParse(value).error?.issues).toBeUndefined();
        expect(isShape(value)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['a receipt', receipts, receiptSchema, isReceipt],
    ['a message', outcomes, outcomeSchema, (outcome: unknown) => isMessage({ outcome })],
  ])('is nothing that the operator refuses, and the other way round: %s', (_, values, schema, isShape) => {
    fc.assert(
      fc.property(spoiled(values), (value) => {
        expect(isShape(value)).toBe(schema.safeParse(value).success);
      }),
      { numRuns: 3000 },
    );
  });
});
