import { expect, test } from 'vitest';
import { commandFailure, oneLine } from '../../src/train-model/command-failure.ts';

const failure = (exitCode: number, stderr = '', outOfMemory = false) =>
  commandFailure('train-command', 'python train.py', { exitCode, outOfMemory, stderr }).message;

test.each([
  [1, 'ended with exit code 1'],
  [126, 'can’t be executed'],
  [127, 'does not exist in the image'],
  [135, 'raise the input shm-size'],
  [137, 'was killed'],
  [139, 'has crashed'],
  [143, 'was asked to stop (exit code 143), and not by this run'],
])('exit code %i is said in words', (exitCode, words) => {
  expect(failure(exitCode)).toContain(`The train-command (“python train.py”) `);
  expect(failure(exitCode)).toContain(words);
});

test.each([
  ['RuntimeError: CUDA out of memory. Tried to allocate 2 GiB', 'BATCH_SIZE in the input env'],
  ['RuntimeError: unable to open shared memory object </torch_1>', 'raise the input shm-size'],
  ["OSError: [Errno 30] Read-only file system: '/data/cache'", '$OUTPUT_DIR'],
  ['urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>', 'network: true'],
  ['OSError: [Errno 28] No space left on device', 'The disk is full'],
  ['RuntimeError: Found no NVIDIA driver on your system.', 'The container sees no GPU'],
])('the last words “%s” get advice', (stderr, advice) => {
  expect(failure(1, `Traceback\n${stderr}\n`)).toContain(advice);
  expect(failure(1, `Traceback\n${stderr}\n`)).toContain(stderr);
});

test('memory that the system says is used up is no guess', () => {
  expect(failure(137, '', true)).toContain('the memory of the machine is used up');
});

test('a script is one line in a log, where no line of it could be taken for a command', () => {
  expect(oneLine('a\n::error::b\n  c ')).toBe('a ::error::b c');
  expect(oneLine('x'.repeat(500))).toHaveLength(120);
});
