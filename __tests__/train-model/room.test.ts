import { expect, test } from 'vitest';
import { checkRoom } from '../../src/train-model/room.ts';
import { failureOf } from '../helpers/failure.ts';
import { temporaryFolder } from '../helpers/runner.ts';

async function warningsAt(disk: number, memory: number): Promise<string[]> {
  const warnings: string[] = [];
  await checkRoom({ outputDir: '/out/model', disk, memory, onWarning: (message) => void warnings.push(message) });
  return warnings;
}

test('a disk on which no training fits ends the run before it', async () => {
  const error = await failureOf(warningsAt(400e6, 16e9));
  expect(error).toMatchObject({ code: 'DISK' });
  expect(error.message).toContain(
    'Only 400 MB are free on the disk of /out/model, and a training needs at least 500 MB',
  );
});

test('little disk and little memory are said, and stop nothing', async () => {
  expect(await warningsAt(100e9, 16e9)).toEqual([]);
  expect(await warningsAt(1e9, 2e9)).toEqual([
    expect.stringMatching(/Only 1\.0 GB are free on the disk/),
    expect.stringMatching(/Only 2\.0 GB of memory are free.*BATCH_SIZE and WORKERS/),
  ]);
});

test('both are asked of this machine, for a folder that is still to be made', async () => {
  const asked: string[] = [];
  await checkRoom({ outputDir: `${temporaryFolder()}/not/there`, onWarning: (message) => void asked.push(message) });
  expect(asked.every((message) => message.startsWith('Only '))).toBe(true);
});
