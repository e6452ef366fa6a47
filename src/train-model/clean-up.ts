import { rm } from 'node:fs/promises';
import * as z from 'zod/mini';
import { removeContainer } from './docker-engine.ts';
import { giveTo } from './ownership.ts';

const leftoverSchema = z.object({
  engine: z.enum(['docker', 'podman', 'apptainer']),
  /** Not there when the run ended before it could have made one. */
  container: z.optional(z.string()),
  workDir: z.string(),
  outputDir: z.string(),
});

/** What a run may leave behind when it is ended by force. */
export type Leftover = z.infer<typeof leftoverSchema>;

/** Reads what `JSON.stringify` made of a Leftover. */
export function parseLeftover(text: string): Leftover {
  return leftoverSchema.parse(JSON.parse(text));
}

/**
 * Removes the container and the run's own folder, and gives the output back to the runner. Does nothing where a run has
 * cleaned up itself. With Apptainer the container is a process of the runner's, which ends what a job leaves behind.
 *
 * @throws DiatomError `CONTAINER` when it is not certain that the container is gone
 */
export async function cleanUp({ engine, container, workDir, outputDir }: Leftover): Promise<void> {
  try {
    if (container === undefined) return;
    if (engine !== 'apptainer') await removeContainer(engine, container);
    const [uid, gid] = [process.getuid?.(), process.getgid?.()];
    if (uid === 0 && gid !== undefined) await giveTo(outputDir, { uid, gid });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
