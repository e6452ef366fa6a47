import { expect, test } from 'vitest';
import { commandFailure, oneLine } from '../../src/train-model/command-failure.ts';

const failure = (exitCode: number, stderr = '', outOfMemory = false) =>
  commandFailure('train-command', 'python train.py', { exitCode, outOfMemory, stderr }).message;

test.each([
  [1, 'ended with exit code 1'],
  [126, 'can’t be executed'],
  [127, 'does not exist in the image'],
  [134, 'ended itself'],
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

const GPU = 'The GPU’s memory is used up';
const SHARED = 'Shared memory is used up: raise the input shm-size';
const MEMORY = 'The memory of the machine, or what a container or job may have of it, is used up';
const DISK = 'The disk is full';
const QUOTA = 'quota of the disk is used up';

/** As PyTorch, Python, Linux and Slurm word it when memory or disk is full. */
const FULL: readonly (readonly [stderr: string, advice: string])[] = [
  ['RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.93 GiB total capacity)', GPU],
  ['torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 98.00 MiB. GPU 0 has 79 GiB', GPU],
  ['torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 98.00 MiB.', GPU],
  ['RuntimeError: CUDA error: out of memory', GPU],
  ['RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED', GPU],
  ['RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`', GPU],
  ['RuntimeError: Unable to find a valid cuDNN algorithm to run convolution', GPU],
  ['torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2.00 GiB', GPU],
  ['RuntimeError: DataLoader worker (pid 71) is killed by signal: Bus error. It is possible that dataloader', SHARED],
  ["OSError: [Errno 28] No space left on device: '/dev/shm/pymp-1'", SHARED],
  ['RuntimeError: unable to write to file </torch_43_2651>: No space left on device (28)', SHARED],
  [
    'ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).',
    SHARED,
  ],
  ['RuntimeError: DataLoader worker (pid 71) is killed by signal: Killed.', MEMORY],
  ['RuntimeError: DataLoader worker (pid(s) 71, 72) exited unexpectedly', MEMORY],
  ['MemoryError', MEMORY],
  ['numpy.core._exceptions._ArrayMemoryError: Unable to allocate 30.5 GiB for an array', MEMORY],
  ['OSError: [Errno 12] Cannot allocate memory', MEMORY],
  ["RuntimeError: [enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory", MEMORY],
  ["terminate called after throwing an instance of 'std::bad_alloc'", MEMORY],
  ['slurmstepd: error: Detected 1 oom_kill event in StepId=77.0. Some of the step tasks have been OOM Killed.', MEMORY],
  ['slurmstepd: error: Exceeded job memory limit', MEMORY],
  ["OSError: [Errno 28] No space left on device: '/output/history.csv'", DISK],
  ['RuntimeError: basic_ios::clear: iostream error', DISK],
  ['RuntimeError: [enforce fail at inline_container.cc:337] . unexpected pos 8896 vs 8792', DISK],
  [
    'RuntimeError: [enforce fail at inline_container.cc:471] . PytorchStreamWriter failed writing file data/3: file write failed',
    DISK,
  ],
  ["OSError: [Errno 122] Disk quota exceeded: '/output/checkpoint/checkpoint.pt'", QUOTA],
  ["OSError: [Errno 27] File too large: '/output/.model.pth.tmp'", 'raise the limit (ulimit -f)'],
];

test.each(FULL)('full memory or a full disk has its own sentence: %s', (stderr, advice) => {
  expect(failure(1, `Traceback (most recent call last):\n${stderr}\n`)).toContain(advice);
});

test('memory that the system says is used up is no guess', () => {
  expect(failure(137, '', true)).toContain('the memory of the machine is used up');
});

test('a script is one line in a log, where no line of it could be taken for a command', () => {
  expect(oneLine('a\n::error::b\n  c ')).toBe('a ::error::b c');
  expect(oneLine('x'.repeat(500))).toHaveLength(120);
});
