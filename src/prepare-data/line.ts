import { CHANGES, type ClassChanges, type Comparison, createComparison } from '../dataset/changes.ts';
import { createKnownImages, type KnownImages } from '../dataset/known-images.ts';
import type { KnownImage } from '../dataset/sides.ts';
import { DiatomError } from '../errors.ts';
import { info } from '../runner/log.ts';
import type { Inputs } from './inputs.ts';

/** The line of data sets that a new one goes on with. */
export interface Line {
  readonly known: KnownImages;
  /** `undefined` for the first data set of a line. */
  readonly comparison: Comparison | undefined;
}

/** @param base what is known of the data set before; `undefined` for the first one of a line */
export function createLine(base: { readonly images: readonly KnownImage[] } | undefined): Line {
  const known = createKnownImages(base?.images ?? []);
  return { known, comparison: base && createComparison(known) };
}

/**
 * Whether classes have lost what they should not, as soon as all images are selected.
 *
 * @returns sentences about them
 * @throws DiatomError `DATA_SET` when that is to be an error
 */
export function checkShrinking(line: Line | undefined, shrink: Inputs['shrink']): string[] {
  return allowed(line?.comparison?.shrunk() ?? [], shrink);
}

/** The same as far as labels and their numbers of images tell, before any image is known. */
export function checkNumbers(line: Line, most: ReadonlyMap<string, number>, shrink: Inputs['shrink']): string[] {
  return allowed(line.comparison?.fewer(most) ?? [], shrink);
}

function allowed(shrunk: string[], shrink: Inputs['shrink']): string[] {
  if (shrunk.length === 0 || shrink === 'warn') return shrunk;
  throw new DiatomError(
    'DATA_SET',
    `${shrunk.join('\n')}\nLook whether zips or images are missing. When it is meant so, run once with shrink: warn.`,
  );
}

export function logChanges(classes: ReadonlyMap<string, ClassChanges> | undefined): void {
  if (!classes) return;
  info('Changes since the data set before:');
  if (classes.size === 0) info('  none');
  for (const [label, changes] of classes) {
    const told = CHANGES.filter(({ change }) => changes[change] > 0);
    info(`  ${label}: ${told.map(({ change, name }) => `${changes[change]} ${name.toLowerCase()}`).join(', ')}`);
  }
}
