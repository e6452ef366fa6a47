import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { systemCodeOf } from '../errors.ts';
import { invalidInput } from './inputs.ts';

/**
 * Refuses a folder outside the workspace, and the workspace itself. Symbolic links are followed before the comparison: a
 * link in the workspace may lead out of it.
 *
 * @param input whose value the folder is
 * @param path absolute; it need not exist
 * @throws DiatomError `INPUT`
 */
export async function requireInsideWorkspace(input: string, path: string, workspace: string): Promise<void> {
  const realPath = await realPathOf(path).catch((cause: unknown) => {
    throw invalidInput(input, path, `a folder inside the workspace ${workspace}`, { cause });
  });
  const below = relative(await realPathOf(workspace), realPath);
  if (below !== '' && below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below)) return;
  throw invalidInput(input, path, `a folder inside the workspace ${workspace}, and not the workspace itself`);
}

/** The real path of what exists, with the rest appended. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await realPathOf(dirname(path)), relative(dirname(path), path));
  }
}
