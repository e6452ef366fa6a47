import { DiatomError } from '../errors.ts';
import type { Ended } from './engine.ts';
import { lastLines } from './engine-failure.ts';

/** What a command's last words tell about its failure. */
const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /insufficient shared memory|bus error|unable to open shared memory|out of shared memory/i,
    'Shared memory is used up: raise the input shm-size.',
  ],
  [
    /CUDA out of memory|CUDNN_STATUS_ALLOC_FAILED|OutOfMemoryError/,
    'The GPU’s memory is used up: lower the batch size (with the template image BATCH_SIZE in the input env).',
  ],
  [
    /no space left on device|disk quota exceeded/i,
    'The disk is full: free some space on the runner, or use a larger disk.',
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
