import type { Model } from './model.ts';
import type { Rgb } from './resample.ts';

/** Width and height of a picture, in what the network takes them. */
export type Size = readonly [width: number, height: number];

/**
 * What the network takes beside the prepared picture; `undefined` for one that takes nothing.
 *
 * @param umPerPixel looked at only for a network that takes the size in µm
 */
export function sizeFor({ sizeInput }: Model, { width, height }: Rgb, umPerPixel: number): Size | undefined {
  if (sizeInput === undefined) return undefined;
  return sizeInput === 'um' ? [width * umPerPixel, height * umPerPixel] : [width, height];
}

/** Whether all is known that the network takes beside the pictures. */
export function isScaleKnown({ sizeInput }: Model, umPerPixel: number): boolean {
  return sizeInput !== 'um' || (Number.isFinite(umPerPixel) && umPerPixel > 0);
}
