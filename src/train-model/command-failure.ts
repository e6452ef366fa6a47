import { DiatomError } from '../errors.ts';
import type { Ended } from './engine.ts';
import { lastLines } from './engine-failure.ts';

const SHARED_MEMORY =
  'Shared memory is used up: raise the input shm-size, or have fewer processes load images (with the template image WORKERS in the input env).';
const GPU_MEMORY =
  'The GPU’s memory is used up: lower the batch size (with the template image BATCH_SIZE in the input env), and look with nvidia-smi whether another program holds some of it.';
const MEMORY =
  'The memory of the machine, or what a container or job may have of it, is used up: lower the batch size and the number of processes that load images (with the template image BATCH_SIZE and WORKERS in the input env), or use more memory.';
const DISK =
  'The disk is full: free some space on the runner, or use a larger disk. A checkpoint that was written before is still there.';
const QUOTA =
  'This user’s quota of the disk is used up: free some space, ask for a larger quota, or choose an output-dir on another disk.';

/** What a command's last words tell about its failure; the first that fits. */
const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  // A full /dev/shm says “no space left”, and a worker killed in it “bus error”: both before what these mean elsewhere.
  [
    /insufficient shared memory|bus error|(open|out of) shared memory|\/dev\/shm|file <\/torch_\d|shared memory \(shm\)/i,
    SHARED_MEMORY,
  ],
  [
    /(CUDA|HIP)( error:)? out of memory|OutOfMemoryError|CU(DNN|BLAS)_STATUS_ALLOC_FAILED|CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory|unable to find (a valid|an engine|a valid cuDNN)/i,
    GPU_MEMORY,
  ],
  [
    /oom[-_]kill|exceeded (job|step) memory limit|exceeded memory limit/i,
    `${MEMORY} With Slurm, ask for more (slurm-memory).`,
  ],
  [/DataLoader worker .*(killed by signal: (Killed|Segmentation)|exited unexpectedly)/i, MEMORY],
  [
    /cannot allocate memory|can't allocate memory|\bMemoryError|unable to allocate|std::bad_alloc|DefaultCPUAllocator|out of memory/i,
    MEMORY,
  ],
  [/disk quota exceeded|\bEDQUOT\b|Errno 122/i, QUOTA],
  [
    /no space left on device|\bENOSPC\b|iostream error|unexpected pos \d+ vs \d+|PytorchStreamWriter failed|file write failed|enforce fail at inline_container/i,
    DISK,
  ],
  [
    /file too large|\bEFBIG\b/i,
    'A file became larger than this user or the file system allows: raise the limit (ulimit -f), or choose an output-dir on another disk.',
  ],
  [
    /read-only file system/i,
    'The data set can’t be written to: results belong into the folder that $OUTPUT_DIR names.',
  ],
  [
    /name resolution|network is unreachable|could not resolve host|getaddrinfo|URLError/i,
    'The container has no network. Put what it needs (such as pretrained weights) into the image, or set network: true.',
  ],
  [
    /no NVIDIA driver|CUDA driver version is insufficient|no CUDA(-capable)? device|torch\.cuda\.is_available\(\) is False/i,
    'The container sees no GPU that it can use: check gpus, and that the driver of the runner is new enough for the image.',
  ],
];

/** A command as one line of a log: a line of a script could be taken for a command to the runner. */
export function oneLine(command: string): string {
  const line = command.trim().replace(/\s+/g, ' ');
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

/** A command in the container that did not end well, as a sentence. */
export function commandFailure(
  input: 'train-command' | 'test-command',
  command: string,
  { exitCode, outOfMemory, stderr }: Ended,
): DiatomError {
  const hint = outOfMemory ? undefined : HINTS.find(([pattern]) => pattern.test(stderr))?.[1];
  const said = lastLines(stderr);
  const sentences = [
    `The ${input} (“${oneLine(command)}”) ${outOfMemory ? OUT_OF_MEMORY : meaningOf(exitCode)}`,
    hint ?? '',
    said === '' ? '' : `Its last words: “${said}”.`,
  ];
  return new DiatomError('CONTAINER', sentences.filter((sentence) => sentence !== '').join(' '));
}

const OUT_OF_MEMORY =
  'was ended because the memory of the machine is used up (exit code 137): lower the batch size or the number of workers, or use a machine with more memory.';

/** Exit codes of shells and containers: 126 and 127 are POSIX’s, above 128 is a signal. */
function meaningOf(exitCode: number): string {
  switch (exitCode) {
    case 126:
      return 'can’t be executed (exit code 126): the file in the image is no program, or may not be executed by an ordinary user.';
    case 127:
      return 'does not exist in the image (exit code 127): check the command, and that it is this image that has it.';
    case 134:
      return 'ended itself (exit code 134): mostly a library met what it can’t go on with, such as a full disk.';
    case 135:
      return 'was ended by a bus error (exit code 135), which mostly means that shared memory is used up: raise the input shm-size.';
    case 137:
      return 'was killed (exit code 137): the memory of the machine or of the container is used up, or somebody has removed the container.';
    case 139:
      return 'has crashed (exit code 139, a segmentation fault): mostly the image’s libraries do not fit each other or the GPU’s driver.';
    case 143:
      return 'was asked to stop (exit code 143), and not by this run: somebody has stopped the container, or the machine shuts down.';
    default:
      return `ended with exit code ${exitCode}; the log above says why.`;
  }
}
