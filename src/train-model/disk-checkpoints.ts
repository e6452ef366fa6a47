import { copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '../errors.ts';
import { digestFile } from '../files/digest-file.ts';
import { onDiskLater } from '../files/disk-failure.ts';
import { partOf, writeWhole } from '../files/whole-file.ts';
import { type CheckpointPlace, NOTE_FILE } from './checkpoint-place.ts';

/** A folder of a disk that other machines see, too, such as a cluster’s, that keeps a checkpoint. */
export function diskCheckpoints(folder: string, signal: AbortSignal | undefined): CheckpointPlace {
  const note = join(folder, NOTE_FILE);
  const orNothing =
    <T>(nothing: T) =>
    (error: unknown): T => {
      if (systemCodeOf(error) === 'ENOENT') return nothing;
      throw error;
    };
  const remove = (name: string) =>
    onDiskLater('write', join(folder, name), () => rm(join(folder, name), { recursive: true, force: true }));
  return {
    name: `the folder ${folder}`,
    remove,
    list: () => onDiskLater('read', folder, () => readdir(folder).catch(orNothing<string[]>([]))),
    async store({ path, sha256 }) {
      const target = join(folder, sha256);
      await onDiskLater('write', target, async () => {
        // Nobody else on the cluster is to have the model before it is published.
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await copyFile(path, partOf(target));
        const file = await open(partOf(target), 'r+');
        // The note must not be on the disk before what it names.
        await file.sync().finally(() => file.close());
        await rename(partOf(target), target);
      });
    },
    async fetch(sha256, target) {
      await onDiskLater('read', join(folder, sha256), () => copyFile(join(folder, sha256), target));
      return (await digestFile(target, signal)).sha256;
    },
    readNote: () => onDiskLater('read', note, () => readFile(note, 'utf8').catch(orNothing(undefined))),
    writeNote: (text) => writeWhole(note, text),
    async removeAll() {
      await remove(NOTE_FILE);
      await remove('');
    },
  };
}
