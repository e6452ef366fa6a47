import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const SERVERS = '__tests__/integration/gpu-server-*.test.ts';
const BUNDLES = '__tests__/prepare-data/bundle*.test.ts';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['__tests__/**/*.test.ts'],
          exclude: [
            ...['integration', 'e2e', 'faults', 'weekly', 'year'].map((folder) => `__tests__/${folder}/**`),
            BUNDLES,
          ],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // A third of their time they wait, for servers and for programs that they have started. Vitest by itself takes one
          // worker less than there are cores: of two, one.
          maxWorkers: availableParallelism() + 1,
          // Files share a process and what it has loaded: to load it for each would take a quarter of the time.
          isolate: false,
          setupFiles: ['__tests__/helpers/forget-settings.ts'],
          // A second, which is the default, is no long time on a machine that is busy.
          expect: { poll: { timeout: 30_000 } },
          sequence: { groupOrder: 2 },
        },
      },
      // Whole runs of the bundle in dist, each in a process of its own.
      {
        test: {
          name: 'bundles',
          include: [BUNDLES],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: availableParallelism() + 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['__tests__/integration/**/*.test.ts'],
          exclude: [SERVERS],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      // These mostly wait, for a time limit of a server for example: side by side.
      {
        test: {
          name: 'servers',
          include: [SERVERS],
          testTimeout: 600_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
          maxWorkers: 4,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['__tests__/e2e/**/*.test.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
          fileParallelism: false,
        },
      },
      // Tables of what may go wrong: secrets that are looked for everywhere, runs that are killed, disks that are full, servers
      // that fail. DIATOM_FAULTS says how much of them is tried, DIATOM_SEED at which points.
      {
        test: {
          name: 'faults',
          include: ['__tests__/faults/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      // What takes too long for every change, or needs more of a machine or of its network than the others.
      {
        test: {
          name: 'weekly',
          include: ['__tests__/weekly/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 1_200_000,
          fileParallelism: false,
        },
      },
      // The pipeline run again and again: a test is a month, and the next one needs it.
      {
        test: {
          name: 'year',
          include: ['__tests__/year/**/*.test.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});
