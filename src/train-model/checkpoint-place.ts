import type { FileDigest } from '../files/digest-file.ts';

/** What says which files make up the checkpoint. It is written when all of them are there. */
export const NOTE_FILE = 'checkpoint.json';

/** A file of this machine that does not change any more. */
export interface StableFile extends FileDigest {
  readonly path: string;
}

/**
 * A folder that outlives the machine. Its files are named by their SHA-256, so that one is never replaced by another: the
 * checkpoint of before is whole until the note of the new one is. Errors are DiatomErrors.
 */
export interface CheckpointPlace {
  /** For people: completes “the checkpoint in …”. */
  readonly name: string;
  /** What lies there. Whatever has a file’s final name is whole. */
  list(): Promise<string[]>;
  store(file: StableFile): Promise<void>;
  /** @returns SHA-256 of what was written to `target` */
  fetch(sha256: string, target: string): Promise<string>;
  readNote(): Promise<string | undefined>;
  /** Puts it in the place of the one before, so that there is always one or the other. */
  writeNote(text: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** The note goes first: half of what is left is never taken for a checkpoint. */
  removeAll(): Promise<void>;
}
