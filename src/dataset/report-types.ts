import type { ClassChanges } from './changes.ts';
import type { SizeBin } from './image-sizes.ts';

/** An image of the data set in the gallery. */
export interface ReportPicture {
  readonly label: string;
  readonly split: 'train' | 'test';
  /** The image's name in the data set. */
  readonly fileName: string;
  /** Small, or why there is none. */
  readonly picture: { readonly mediaType: string; readonly data: Uint8Array } | { readonly notShown: string };
}

export interface ReportClass {
  readonly label: string;
  /** Numbers of images. */
  readonly train: number;
  readonly test: number;
  /** `undefined` where images are not grouped. */
  readonly groups: number | undefined;
  readonly samples: readonly ReportPicture[];
}

export interface ReportChanges extends ClassChanges {
  readonly label: string;
}

/** Everything the report says. Nothing in it may depend on the clock, the machine or the order of downloads. */
export interface ReportData {
  readonly seed: string;
  readonly options: readonly { readonly label: string; readonly value: string }[];
  readonly classes: readonly ReportClass[];
  readonly leftOut: readonly {
    readonly reason: string;
    readonly count: number;
    readonly examples: readonly string[];
  }[];
  readonly warnings: readonly string[];
  /** Against the data set before, of each class with changes; `undefined` where there is none, or sides are not kept. */
  readonly changes: readonly ReportChanges[] | undefined;
  readonly sources: readonly {
    /** Name of the downloaded zip. */
    readonly fileName: string;
    /** In hexadecimal. */
    readonly sha256: string;
    readonly label: string;
    /** How many images of the zip are in the data set, and how many of them in test. */
    readonly images: number;
    readonly test: number;
  }[];
  /** How many images have which size. */
  readonly sizes: readonly SizeBin[];
  /** `undefined` where nobody has looked. */
  readonly near: ReportNear | undefined;
}

/** Test images that look like training images. */
export interface ReportNear {
  readonly count: number;
  /** How many images could not be compared. */
  readonly unseen: number;
  /** The nearest first; a few where there are many. */
  readonly pairs: readonly {
    readonly test: ReportPicture;
    readonly train: ReportPicture;
    /** In how many of 255 signs they differ. */
    readonly distance: number;
  }[];
}
