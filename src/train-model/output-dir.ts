import { createHash } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DiatomError, systemCodeOf } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { partOf, writeWhole } from '../files/whole-file.ts';
import { invalidInput } from '../runner/inputs.ts';
import { requireInsideWorkspace } from '../runner/inside-workspace.ts';
import { info, warn } from '../runner/log.ts';

/** Marks a folder as made by this action: only such a folder is ever emptied. */
const MARKER = '.diatom-actions';
const MARKER_TEXT =
  'This folder was made by the action “Train a diatom model”. The next run deletes what is in it.\ntraining: ';

/** Marks a folder whose result could be stored nowhere else: it is moved away and never emptied. */
export const UNSTORED_MARK = '.diatom-unstored';

/** Left by a training that came to its end. Without it, the folder may hold a checkpoint to go on from. */
const LAST_FILE = 'metrics.json';

/**
 * Checks that a run may use the output folder, and changes nothing.
 *
 * @param path absolute
 * @throws DiatomError `INPUT` when it lies outside the workspace, is the workspace, or holds files of somebody else
 */
export async function checkOutputDir(path: string, workspace: string): Promise<void> {
  await requireInsideWorkspace('output-dir', path, workspace);
  const all = await readdir(path).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw invalidInput('output-dir', path, 'a folder', { cause: error });
  });
  const found = all.filter((name) => name !== partOf(MARKER));
  if (found.length === 0 || (await markOf(path)) !== undefined) return;
  throw new DiatomError(
    'INPUT',
    `Input output-dir: the folder ${path} holds files that this action did not make (${found.slice(0, 5).join(', ')}${found.length > 5 ? ' …' : ''}), and a run would have to empty it. Choose another folder, or move them away.`,
  );
}

/**
 * Makes the output folder ready: creates it, or empties it when an earlier run made it. Unless that run was the same
 * training and was cut short: then what it left stays, so that it can be continued.
 *
 * @param training all that makes two runs the same training
 * @throws DiatomError as `checkOutputDir`, and `DISK` when it can't be written
 */
export async function openOutputDir(path: string, workspace: string, training: readonly unknown[]): Promise<void> {
  await checkOutputDir(path, workspace);
  const key = createHash('sha256').update(JSON.stringify(training)).digest('hex');
  try {
    if (await isRegularFile(join(path, UNSTORED_MARK))) await moveAway(path);
    const continues = (await markOf(path)) === key && !(await isRegularFile(join(path, LAST_FILE)));
    // The marker comes first: a run that ends right after it must not leave a folder that the next one refuses.
    await mkdir(path, { recursive: true });
    // Its text counts, so it comes whole.
    await writeWhole(join(path, MARKER), `${MARKER_TEXT}${key}\n`);
    const others = (await readdir(path)).filter((name) => name !== MARKER);
    // A model that was left behind must not be taken for the one that this run has yet to train.
    const stale = continues ? others.filter((name) => name === 'model.pth') : others;
    for (const name of stale) await rm(join(path, name), { recursive: true, force: true });
    if (others.length > stale.length)
      info(`An earlier run of this training was cut short: what it left in ${path} stays.`);
  } catch (error) {
    throw diskFailure('write', path, error);
  }
}

/** What it holds is the only copy of a result. */
async function moveAway(path: string): Promise<void> {
  const place = await mkdtemp(`${path}.unstored-`);
  await rename(path, join(place, basename(path)));
  warn(
    `The result of an earlier run could be stored nowhere else: it is in ${place} now. Delete it when you don’t need it.`,
  );
}

/**
 * The files of the output folder that go into an artifact: all but hidden ones, as for GitHub's own action, and links,
 * which a container may have pointed anywhere.
 */
export async function outputFiles(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (file) =>
        !file
          .slice(path.length)
          .split(/[/\\]/)
          .some((part) => part.startsWith('.')),
    )
    .sort();
}

/**
 * Writes a file of ours beside those of a container, in place of whatever has its name: a link there could lead to any
 * file of this machine.
 */
export async function writeOutput(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  // What a folder has the name of can't be replaced by a file.
  if ((await lstat(path).catch(() => undefined))?.isDirectory()) await rm(path, { recursive: true, force: true });
  await writeWhole(path, text);
}

/** Whether there is a file, and no link to one. */
export async function isRegularFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() ?? false;
}

/** The training that the folder's marker names; `undefined` without a marker of this action. */
async function markOf(path: string): Promise<string | undefined> {
  const file = join(path, MARKER);
  if (!(await isRegularFile(file))) return undefined;
  const text = await readFile(file, 'utf8');
  return text.startsWith(MARKER_TEXT) ? text.slice(MARKER_TEXT.length).trim() : undefined;
}
