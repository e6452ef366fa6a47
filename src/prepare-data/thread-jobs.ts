/** What the threads that fill the archive are asked for, and what they answer. Types only: the program is `fill-thread.ts`. */
import type { ZipEntry } from '../archive/open-zip.ts';
import type { Split } from '../dataset/split.ts';
import type { FileBatch } from './file-batch.ts';
import type { PackedImages } from './packed-images.ts';

/** What is to be put into the archive, whole and without a gap. */
export type FillJob = ImagesJob | FileJob;

/** Images of one zip. One that is too large to be held in memory is a job of its own. */
export interface ImagesJob {
  readonly kind: 'images';
  readonly zip: { readonly path: string; readonly name: string };
  readonly label: string;
  readonly images: PackedImages;
  /** What their paths in the archive begin with, before the split: `''`, or a folder with its slash. */
  readonly archiveFolder: string;
  /** The folder with those of the splits and labels, which get them as well; `undefined` for none. */
  readonly results: string | undefined;
  readonly brokenImages: BrokenImages;
  /** Whether all of its images are asked for, to be looked at. */
  readonly looks: boolean;
}

/** What becomes of images that are no whole ones: see the input `broken-images`. */
export type BrokenImages = 'leave-out' | 'keep' | 'error';

/** An image that is no whole one. */
export interface BrokenImage {
  /** Its place among the images of the job. */
  readonly index: number;
  /** The rest of “it …”. */
  readonly fault: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** A file as it is. */
export interface FileJob {
  readonly kind: 'file';
  readonly path: string;
  /** Path in the archive. */
  readonly name: string;
  /** What it has to be, hexadecimal: somebody else may write to the same folder. */
  readonly sha256?: string | undefined;
}

/** What a job has put into the archive. */
export interface Filled {
  readonly entries: number;
  /** Of the images, unpacked. */
  readonly bytes: number;
  /** For the archive's directory. */
  readonly records: Uint8Array;
  /** The lines of the images. */
  readonly manifest: string;
  /** Paths below `results` of what is named like an image but is not one. */
  readonly unreadable: readonly string[];
  /** Those of the images that are broken; where they are left out, they are in the manifest and nowhere else. */
  readonly broken: readonly BrokenImage[];
  /** The images that were asked for. */
  readonly pictures: readonly Picture[];
  /** How many images have which size: see `sizeBins`. */
  readonly sizes: readonly number[];
  /** All images that are in their places, where they were asked for. */
  readonly files: FileBatch | undefined;
}

/** A picture for the report. */
export interface Picture {
  readonly label: string;
  readonly split: Split;
  readonly fileName: string;
  /** The image file, in memory of its own, which goes to the thread that makes the picture; `undefined` of one that is too large to be held. */
  readonly data: Uint8Array<ArrayBuffer> | undefined;
}

/** Some entries of a zip. */
export interface ZipPart {
  readonly zip: { readonly path: string; readonly name: string };
  readonly entries: readonly ZipEntry[];
}

/**
 * A job comes first; then, once its length is known and it is its turn, the place in the archive. Or entries are only
 * hashed, or read.
 */
export type FillRequest =
  | { readonly job: FillJob }
  | { readonly offset: number }
  | { readonly hash: ZipPart }
  | { readonly read: ZipPart };

export type FillReply =
  | { readonly length: number }
  | { readonly filled: Filled }
  /** SHA-256 of each entry, hexadecimal. */
  | { readonly hashes: readonly string[] }
  | { readonly files: FileBatch };

/** A job whose length is known. */
export interface Prepared {
  readonly length: number;
  write(offset: number): Filled;
}
