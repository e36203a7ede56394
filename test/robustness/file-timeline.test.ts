import { expect, test, vi } from 'vitest';
import { differ, FileTimeline } from './file-timeline.ts';

test('what files contained is known for times at which none was being changed', () => {
  vi.useFakeTimers({ now: 1000 });
  try {
    const timeline = new FileTimeline();
    const done = timeline.begin('/a', 'one');
    vi.setSystemTime(1010);
    done();
    vi.setSystemTime(2000);
    timeline.begin('/a', undefined);
    expect(timeline.during(0, 999)).toEqual(new Map());
    expect(timeline.during(1000, 1020)).toBeUndefined();
    expect(timeline.during(1020, 1900)).toEqual(new Map([['/a', 'one']]));
    expect(timeline.during(1990, 3000)).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});

test('files differ by content and by being there', () => {
  const one = new Map([
    ['/a', '1'],
    ['/b', '1'],
  ]);
  const other = new Map([
    ['/a', '2'],
    ['/c', '1'],
  ]);
  expect(differ(one, other)).toBe(3);
  expect(differ(one, one)).toBe(0);
});
