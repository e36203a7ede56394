import { describe, expect, test } from 'vitest';
import { type AdmissionRecord, type Look, readRecord, recordLook, recordMap } from './record.ts';
import type { Standing } from './standing.ts';

const WELL: Standing = { is: 'enforced', policies: 2 };
const GONE: Standing = { is: 'not-enforced', faults: ['binding a is missing'] };
const BLIND: Standing = { is: 'unknown', reason: 'Unreadable', message: 'no' };
const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute));
const time = (minute: number) => at(minute).toISOString();
const V1 = { a: 'u1 1', b: 'u2 1' };

/** The record after these looks, one a minute. */
function recordAfter(...looks: (Partial<Look> & Pick<Look, 'standing'>)[]): AdmissionRecord {
  let record: AdmissionRecord | undefined;
  looks.forEach((look, minute) => {
    record = recordLook(record, { versions: V1, isFirst: minute === 0, now: at(minute), ...look });
  });
  return record as AdmissionRecord;
}

describe('the record of the admission policies', () => {
  test('has nothing to say while they are in force, but when they were last seen so', () => {
    expect(recordAfter({ standing: WELL }, { standing: WELL })).toMatchObject({
      seen: { at: time(1), enforced: true },
      periods: [],
      leftOut: 0,
    });
  });

  test('says since when they are not, with all that was wrong, and until when', () => {
    const more: Standing = { is: 'not-enforced', faults: ['policy b is missing'] };
    const faults = ['binding a is missing', 'policy b is missing'];
    expect(recordAfter({ standing: WELL }, { standing: GONE }, { standing: more }).periods).toEqual([
      { from: time(1), faults },
    ]);
    expect(recordAfter({ standing: WELL }, { standing: GONE }, { standing: more }, { standing: WELL }).periods).toEqual(
      [{ from: time(1), until: time(3), faults }],
    );
  });

  test('says after which time it began, where no operator looked', () => {
    expect(recordAfter({ standing: WELL }, { standing: GONE, isFirst: true }).periods).toEqual([
      { from: time(1), notBefore: time(0), faults: ['binding a is missing'] },
    ]);
  });

  test('names what was taken away and put back unseen while something else was away already', () => {
    const V2 = { ...V1, b: 'u3 1' };
    const faults = ['binding a is missing', 'b was changed or made again between two looks'];
    expect(
      recordAfter({ standing: GONE }, { standing: GONE, versions: V2 }, { standing: GONE, versions: V2 }).periods,
    ).toEqual([{ from: time(0), faults }]);
    expect(recordAfter({ standing: GONE }, { standing: WELL, versions: V2, isFirst: true }).periods).toEqual([
      { from: time(0), until: time(1), faults },
    ]);
  });

  test('of one that goes on while no operator looked is one period', () => {
    const { periods } = recordAfter({ standing: GONE }, { standing: GONE, isFirst: true }, { standing: WELL });
    expect(periods).toEqual([{ from: time(0), until: time(2), faults: ['binding a is missing'] }]);
  });

  test('knows of one that was taken away and put back between two looks', () => {
    const versions = { ...V1, b: 'u3 1' };
    expect(recordAfter({ standing: WELL }, { standing: WELL, versions }).periods).toEqual([
      { from: time(0), until: time(1), faults: ['b was changed or made again between two looks'] },
    ]);
    // What was added is no fault.
    expect(recordAfter({ standing: WELL }, { standing: WELL, versions: { ...V1, c: 'u4 1' } }).periods).toEqual([]);
  });

  test('says that they could not be read, and compares with what was read before', () => {
    const { periods } = recordAfter({ standing: WELL }, { standing: BLIND, versions: {} }, { standing: WELL });
    expect(periods).toEqual([{ from: time(1), until: time(2), faults: ['the policies could not be read'] }]);
    const versions = { ...V1, a: 'u1 3' };
    expect(
      recordAfter({ standing: WELL }, { standing: BLIND, versions: {} }, { standing: WELL, versions }).seen.versions,
    ).toEqual(versions);
  });

  test('is bounded, and counts what it left out', () => {
    const looks = Array.from({ length: 140 }, (_, index) => ({ standing: index % 2 === 0 ? WELL : GONE }));
    const record = recordAfter(...looks);
    expect(record.periods).toHaveLength(50);
    expect(record.leftOut).toBe(20);
    expect(record.periods[0]?.from).toBe(time(139));
  });

  test('is read as it was written; one that somebody spoilt is none', () => {
    const record = recordAfter({ standing: GONE });
    expect(readRecord(recordMap(record, 'n'))).toEqual(record);
    expect(readRecord({ data: { 'record.json': '{"periods":[{}]}' } })).toBeUndefined();
    expect(readRecord({ data: { 'record.json': '{' } })).toBeUndefined();
    expect(readRecord(undefined)).toBeUndefined();
  });
});
