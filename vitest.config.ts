import { defineConfig } from 'vitest/config';

const SERVERS = '__tests__/integration/gpu-server-*.test.ts';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['__tests__/**/*.test.ts'],
          exclude: ['integration', 'e2e', 'weekly', 'year'].map((folder) => `__tests__/${folder}/**`),
          testTimeout: 60_000,
          hookTimeout: 60_000,
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
