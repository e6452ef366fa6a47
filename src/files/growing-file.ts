import type { FileDigest } from './digest-file.ts';

/** A file that is written from front to back while others read it: what is there never changes. */
export interface GrowingFile {
  /** May become another one once the file is complete. */
  readonly path: string;
  /**
   * Resolves when the file has at least `bytes` bytes, or is complete; with how many it then has.
   *
   * @throws what ended its writer
   */
  reach(bytes: number): Promise<number>;
  /** Settles when the last byte is there, or the writer has failed. Digests are hexadecimal, lower case. */
  readonly complete: Promise<FileDigest>;
}
