/** A text, or the number of the first line (from 1) with bytes that are not text in UTF-8. */
export type DecodedText = { readonly text: string } | { readonly wrongLine: number };

/**
 * The text of a file that a person has saved: UTF-8, or UTF-16 as Windows PowerShell's `>` and spreadsheets write it; a
 * byte order mark is left out. Any other encoding has no mark to know it by, and would garble names.
 */
export function decodeText(bytes: Uint8Array): DecodedText {
  const text = new TextDecoder(encodingOf(bytes)).decode(bytes);
  return checkText(text);
}

/** The same for a text that somebody else has decoded, who put U+FFFD where bytes were no text. */
export function checkText(text: string): DecodedText {
  const wrong = text.indexOf('\ufffd');
  if (wrong < 0) return { text: text.replace(/^\uFEFF/, '') };
  return { wrongLine: text.slice(0, wrong).split(/\r\n|\r|\n/).length };
}

/** UTF-16 shows by its mark, or without one by the zero in every other byte of a text that begins in ASCII. */
function encodingOf([first, second]: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return 'utf-16be';
  return 'utf-8';
}
