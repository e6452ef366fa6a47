import type { LeftOut } from './select-images.ts';
import type { Split, SplitSource } from './split.ts';

export interface PlanOptions {
  /** `keep`: known images stay where they are, and new ones are drawn as by `shuffle`. */
  readonly split: 'shuffle' | 'stable' | 'keep';
  readonly seed: string;
  readonly groupBy: RegExp | undefined;
  readonly duplicates: 'keep-together' | 'drop' | 'error';
  readonly labelConflicts: 'error' | 'warn';
  /** What is to be done about images that look alike: only `together` changes the plan. */
  readonly nearDuplicates: 'report' | 'together' | 'off';
}

/** One file list entry, as far as its zip's directory tells. */
export interface PlanSource extends SplitSource {
  /** The images' folder inside the zip, `''` for the whole zip. */
  readonly folder: string;
  /** How many images it has. */
  readonly imageCount: number;
  /** How many of them share their fingerprint with another image of the list, so that they may be identical to it. */
  readonly alikeCount: number;
  /** How many are known to lie on each side, where sides are kept. */
  readonly knownCount?: { readonly train: number; readonly test: number } | undefined;
}

export interface PlanImage {
  /** Path inside the zip. */
  readonly path: string;
  readonly bytes: number;
  readonly crc32: number;
}

/** Where one image goes. */
export interface PlannedImage<Image extends PlanImage = PlanImage> {
  readonly image: Image;
  /** The place of its source in the list. */
  readonly source: number;
  readonly label: string;
  readonly split: Split;
  /** Unique under its label, in train and test together. */
  readonly fileName: string;
  /** What `group-by` keeps it together with, as `groupOf` names it; `undefined` for none. */
  readonly group: string | undefined;
}

export interface PlannedSource<Image extends PlanImage = PlanImage> {
  /** In code-point order of their paths. */
  readonly images: readonly PlannedImage<Image>[];
  readonly leftOut: readonly LeftOut[];
}

/** A number that is equal for two images of the list exactly when their bytes are; `undefined` for an image like no other. */
export type ContentOf<Image> = (image: Image) => number | undefined;

/** All images of the list, in code-point order inside a source. */
export interface AllImages<Image extends PlanImage> {
  readonly images: readonly (readonly Image[])[];
  readonly contentOf: ContentOf<Image>;
  /** A number that images share which are to be kept together as they look alike; `undefined` for others. */
  readonly nearOf?: ((image: Image) => number | undefined) | undefined;
}

/**
 * Decides for every image which side it goes to and under which name: source after source, in list order, so that the
 * images of one can be put to their places while later zips are still on their way.
 */
export interface Planner<Image extends PlanImage> {
  /**
   * Plans the next source of the list.
   *
   * @param images in code-point order of their paths
   * @throws DiatomError `DATA_SET` when identical images lie under two labels or are forbidden, when a label is left
   *   without a training image, or when too many would have to go to test
   */
  plan(images: readonly Image[], contentOf: ContentOf<Image>): PlannedSource<Image>;
  /** Sentences about what was planned so far. */
  warnings(): string[];
}
