import { defineConfig } from 'vitest/config';

// Three projects, the fastest first. The cluster and e2e projects share one control plane and one set of nodes
// (test/support/*-global.ts), because starting them is the slow part.
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'devcluster/**/*.test.ts',
            'scripts/**/*.test.ts',
            'test/unit/**/*.test.ts',
            'test/robustness/**/*.test.ts',
          ],
          exclude: ['test/robustness/history.test.ts'],
          testTimeout: 60_000,
          maxWorkers: '100%',
          // Not 0: vitest runs that group last where it has one worker.
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts', 'test/robustness/history.test.ts'],
          globalSetup: ['test/support/cluster-global.ts'],
          testTimeout: 180_000,
          // Real servers on a machine that may be busy with something else: once more before it counts, and vitest says so.
          retry: 1,
          hookTimeout: 180_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/e2e-global.ts'],
          testTimeout: 300_000,
          retry: 1,
          hookTimeout: 600_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
