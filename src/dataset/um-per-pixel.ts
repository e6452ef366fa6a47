export const UM_PER_PIXEL_ALLOWED = 'a number from 0.001 to 1000 with a decimal point, such as 0.25';

/** How many micrometres a pixel is wide; `undefined` for what can't be that. */
export function parseUmPerPixel(text: string): number | undefined {
  const value = Number(text);
  return /^\s*\d+(\.\d+)?\s*$/.test(text) && value >= 0.001 && value <= 1000 ? value : undefined;
}
