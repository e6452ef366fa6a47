/**
 * A page with the images that production has right and the candidate wrong. It belongs to a training's results, and is no
 * part of a version: who may have the model need not be who may have the images.
 */
export const BECAME_WRONG_FILE = 'became_wrong.html';

/** A test image that is new to two models, and what each of them takes it for. */
export interface ComparedImage {
  /** In the data set, as its manifest has it: `test/<label>/<file name>`. */
  readonly path: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** What it is. */
  readonly label: string;
  readonly candidate: string;
  readonly production: string;
  /** What the best other version takes it for that was in production; without it, that one was not asked. */
  readonly best?: string | undefined;
}

/** The version that was in production and has better figures than the one there now. */
export interface BestOfOthers {
  /** `undefined` when none counts: then `notCompared` says why. */
  readonly version: string | undefined;
  /** Why the model was not compared with it, as the end of a sentence; `undefined` when it was. */
  readonly notCompared: string | undefined;
}

/** How two models do on the images of one class. */
export interface ClassTally {
  readonly label: string;
  readonly images: number;
  /** How many production has right. */
  readonly production: number;
  /** How many the candidate has right. */
  readonly candidate: number;
  /** Right in production, wrong now. */
  readonly lost: number;
  /** Wrong in production, right now. */
  readonly gained: number;
}

/** @returns the classes in the order in which they first come */
export function tallyClasses(images: readonly ComparedImage[]): ClassTally[] {
  const classes = new Map<string, { -readonly [Field in keyof ClassTally]: ClassTally[Field] }>();
  for (const { label, candidate, production } of images) {
    const tally = classes.get(label) ?? { label, images: 0, production: 0, candidate: 0, lost: 0, gained: 0 };
    classes.set(label, tally);
    const [before, now] = [production === label, candidate === label];
    tally.images++;
    if (before) tally.production++;
    if (now) tally.candidate++;
    if (before && !now) tally.lost++;
    if (now && !before) tally.gained++;
  }
  return [...classes.values()];
}
