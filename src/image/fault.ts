import type { ImageBytes } from './image-bytes.ts';

/** Where a format's own rules are checked. Each says what is wrong, as the rest of “it …”, or `undefined` for nothing. */
export type CheckFormat = (bytes: ImageBytes) => string | undefined;

/** Cut short, which is how most broken files came to be: a copy or a download that was ended. */
export const CUT_SHORT = 'is cut short';

/** Begun and not ended: the length is right, and zeros stand where pixels should. */
export const ZERO_FILLED = 'was not written to its end: it goes on with zeros';

/** Why a size can't be right: a side is 0, or the file could not hold so many pixels. */
export function wrongSize(width: number, height: number): string | undefined {
  return width > 0 && height > 0 ? undefined : `says that it has ${width} × ${height} pixels`;
}
