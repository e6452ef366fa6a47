import { DiatomError } from '../errors.ts';
import { freeBytes } from '../files/free-bytes.ts';
import { formatBytes } from '../format.ts';

/** Less disk does not hold the weights of any usual network with their optimiser, which a checkpoint has twice while it is written. */
const LEAST_DISK = 500e6;

/** What the template's training takes: a checkpoint twice, and the model in three formats. */
const ENOUGH_DISK = 1.5e9;

/** What it takes beside a GPU: PyTorch, the network with its optimiser, and the processes that load images. */
const ENOUGH_MEMORY = 4e9;

interface Room {
  readonly outputDir: string;
  readonly onWarning: (message: string) => void;
  /** Free bytes of memory, as far as this process may use them. */
  readonly memory?: number;
  readonly disk?: number;
}

/**
 * Looks whether a training finds disk and memory before it begins. How much it takes only its image knows.
 *
 * @throws DiatomError `DISK` when it certainly does not
 */
export async function checkRoom({ outputDir, onWarning, ...given }: Room): Promise<void> {
  const disk = given.disk ?? (await freeBytes(outputDir));
  const memory = given.memory ?? process.availableMemory();
  const found = `Only ${formatBytes(disk)} are free on the disk of ${outputDir}`;
  if (disk < LEAST_DISK) {
    throw new DiatomError(
      'DISK',
      `${found}, and a training needs at least ${formatBytes(LEAST_DISK)} for its checkpoint and its model: free some space, use a larger disk, or choose another output-dir.`,
    );
  }
  if (disk < ENOUGH_DISK) {
    onWarning(
      `${found}; the template’s training takes ${formatBytes(ENOUGH_DISK)}. When the disk is full, the training ends.`,
    );
  }
  if (memory < ENOUGH_MEMORY) {
    onWarning(
      `Only ${formatBytes(memory)} of memory are free on this machine; the template’s training takes about ${formatBytes(ENOUGH_MEMORY)}, and more with a large BATCH_SIZE on the CPU. When memory is used up, the training is killed: end other programs, lower BATCH_SIZE and WORKERS (input env), or use a larger machine.`,
    );
  }
}
