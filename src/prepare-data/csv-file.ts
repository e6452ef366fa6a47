import { type FileHandle, open } from 'node:fs/promises';
import { diskFailure } from '../disk-failure.ts';

/** A file that is written while its lines come: a line of every image is too much to be kept in memory. */
export interface CsvFile {
  readonly path: string;
  /** @throws DiatomError `DISK` */
  add(lines: string): Promise<void> | void;
  /** @throws DiatomError `DISK` */
  finish(): Promise<void>;
  /** Closes the file, whatever is in it. */
  abort(): Promise<void>;
}

const BLOCK_LENGTH = 64 * 1024;

/** @throws DiatomError `DISK` */
export async function createCsvFile(path: string, header: string): Promise<CsvFile> {
  const onDisk = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      throw diskFailure('write', path, error);
    }
  };
  let file: FileHandle | undefined = await onDisk(() => open(path, 'w'));
  let text = header;

  async function flush(): Promise<void> {
    const block = text;
    text = '';
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
    },
    abort: () => close().catch(() => undefined),
  };
}
