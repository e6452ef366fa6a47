import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { onDiskLater } from '../files/disk-failure.ts';
import { partOf } from '../files/whole-file.ts';

/** A file that is written while its lines come: a line of every image is too much to be kept in memory. */
export interface CsvFile {
  /** Once it is finished. */
  readonly path: string;
  /** @throws DiatomError `DISK` */
  add(lines: string): Promise<void> | void;
  /** @returns SHA-256 of all that was written, hexadecimal; @throws DiatomError `DISK` */
  finish(): Promise<string>;
  /** Closes the file, and removes it unless it is finished. */
  abort(): Promise<void>;
}

const BLOCK_LENGTH = 64 * 1024;

/** @throws DiatomError `DISK` */
export async function createCsvFile(path: string, header: string): Promise<CsvFile> {
  const onDisk = <T>(step: () => Promise<T>) => onDiskLater('write', path, step);
  let file: FileHandle | undefined = await onDisk(() => open(partOf(path), 'w'));
  let text = header;
  const sum = createHash('sha256');

  async function flush(): Promise<void> {
    const block = text;
    text = '';
    sum.update(block);
    await onDisk(async () => file?.writeFile(block));
  }
  async function close(): Promise<void> {
    const open = file;
    file = undefined;
    await onDisk(async () => open?.close());
  }

  return {
    path,
    add(lines) {
      text += lines;
      return text.length < BLOCK_LENGTH ? undefined : flush();
    },
    async finish() {
      await flush();
      await close();
      await onDisk(() => rename(partOf(path), path));
      return sum.digest('hex');
    },
    async abort() {
      await close().catch(() => undefined);
      await rm(partOf(path), { force: true });
    },
  };
}
