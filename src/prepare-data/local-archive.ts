import { lstat, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { endsAsArchive, runNameOf, sidesNameOf } from '../dataset/archive-names.ts';
import { partOf, writeWhole } from '../files/whole-file.ts';
import { formatBytes } from '../format.ts';
import { info } from '../runner/log.ts';
import type { Note } from './folder-lock.ts';

/** Writes from what it was made beside an archive. @throws DiatomError `DISK` */
export function writeRecord(archive: string, text: string): Promise<void> {
  return writeWhole(runNameOf(archive), text);
}

/** Removes what a run was writing when it was ended by force, and says what it has left. */
export async function tidyAfter({ archive, begun }: Note, workspace: string): Promise<void> {
  const when = `A run that began at ${begun} was cut short in this folder`;
  // The note could have been written by anybody.
  if (basename(archive) !== archive || !endsAsArchive(archive)) return info(`${when}.`);
  const path = join(workspace, archive);
  const size = async (file: string) => (await lstat(file).catch(() => undefined))?.size;
  const unfinished = await size(partOf(path));
  if ((await size(path)) !== undefined) {
    for (const beside of [sidesNameOf(path), runNameOf(path)]) await rm(partOf(beside), { force: true });
    return info(`${when}. Its archive ${path} is whole, and stays.`);
  }
  await removeArchive(path);
  info(
    unfinished === undefined
      ? `${when}.`
      : `${when}: what it had of its archive (${partOf(path)}, ${formatBytes(unfinished)}) was deleted.`,
  );
}

/** Removes an archive and what lies beside it, whole or not. */
export async function removeArchive(archive: string): Promise<void> {
  for (const path of [archive, sidesNameOf(archive), runNameOf(archive)]) {
    await rm(path, { force: true });
    await rm(partOf(path), { force: true });
  }
}
