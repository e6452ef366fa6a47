import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readlink, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { whyUnsafeName } from '../dataset/safe-name.ts';
import { systemCodeOf } from '../errors.ts';

/** A file that is open: its content can be read although another file is given its name. */
export interface OpenFile {
  /** Below the folder, with `/`. */
  readonly name: string;
  /** Leads to this very file, whatever has its name by now. Linux only, as containers are. */
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly handle: FileHandle;
}

/**
 * Opens all files below a folder of the output that a running container may write to, but hidden ones, which are not
 * complete. The container may put a link in the place of any file or folder at any moment, so each file is asked where it
 * lies once it is open. The caller closes them.
 */
export async function openFiles(outputDir: string, folder: string): Promise<OpenFile[]> {
  const base = join(outputDir, folder);
  const entries = await readdir(base, { recursive: true, withFileTypes: true }).catch(() => []);
  const root = join(await realpath(outputDir), folder, sep);
  const files: OpenFile[] = [];
  try {
    for (const entry of entries.filter((one) => one.isFile())) {
      const name = relative(base, join(entry.parentPath, entry.name)).split(sep).join('/');
      if (name.split('/').some((part) => part.startsWith('.') || whyUnsafeName(part) !== undefined)) continue;
      const handle = await openPlainly(join(base, name));
      if (!handle) continue;
      const path = `/proc/self/fd/${handle.fd}`;
      const found = await handle.stat();
      files.push({ name, path, bytes: found.size, modifiedMs: found.mtimeMs, handle });
      const isInside = found.isFile() && (await readlink(path)).startsWith(root);
      if (!isInside) await files.pop()?.handle.close();
    }
    return files;
  } catch (error) {
    await closeFiles(files);
    throw error;
  }
}

export async function closeFiles(files: readonly OpenFile[]): Promise<void> {
  for (const { handle } of files) await handle.close();
}

/** Neither follows a link nor waits for the other end of a pipe. @returns `undefined` for a link, and for what is gone */
async function openPlainly(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}
