import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { diskFailure } from '../disk-failure.ts';
import { runNameOf, sidesNameOf } from '../owncloud/archive-names.ts';
import type { LocalSides } from './line-guard.ts';

/** Makes the sums of the sides that lie beside an archive. @throws DiatomError `DISK` */
export async function describeSides(path: string): Promise<LocalSides> {
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
  let bytes = 0;
  try {
    for await (const piece of createReadStream(path)) {
      sha1.update(piece);
      sha256.update(piece);
      bytes += piece.length;
    }
  } catch (error) {
    throw diskFailure('read', path, error);
  }
  return { path, bytes, sha1: sha1.digest('hex'), sha256: sha256.digest('hex') };
}

/** Writes from what it was made beside an archive. @throws DiatomError `DISK` */
export async function writeRecord(archive: string, text: string): Promise<void> {
  const path = runNameOf(archive);
  await writeFile(path, text).catch((error: unknown) => {
    throw diskFailure('write', path, error);
  });
}

/** Removes an archive and what lies beside it. */
export async function removeArchive(archive: string): Promise<void> {
  for (const path of [archive, sidesNameOf(archive), runNameOf(archive)]) await rm(path, { force: true });
}
