import type { ImageBytes } from './image-bytes.ts';

/** What is wrong with a file that was copied as one. */
export const TEXT_TRANSFER = 'was copied as a text (FTP in ASCII mode), which changes bytes';

/** So many lines of a text are no chance. */
const LINES = 16;

/** Whether every line feed has a carriage return before it, as only a text of Windows has. */
export function isTextTransfer(bytes: ImageBytes): boolean {
  const next = (from: number) => bytes.indexOf(0x0a, from, bytes.length);
  let lines = 0;
  for (let at = next(0); at >= 0; at = next(at + 1)) {
    if (bytes.at(at - 1) !== 0x0d) return false;
    lines++;
  }
  return lines >= LINES;
}
