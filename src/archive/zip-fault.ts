import { DiatomError } from '../errors.ts';

/** What to do about a zip whose bytes are wrong: a bad copy is likelier than a bad original. */
export const DOWNLOAD_AGAIN =
  'Download it again; if the error stays, the zip is damaged where it comes from: ask its owner to upload it again.';

/** What to do about a zip that was made in a way we don't read. */
export const ZIP_AGAIN =
  'Ask its owner to zip the folder again, as a plain zip without a password (Windows Explorer, macOS Finder, 7-Zip or “zip -r”).';

/** The error about a zip as a whole or, with `entry`, about one of its entries. `what` is the rest of the sentence. */
export function zipFault(zip: string, entry: string | undefined, what: string, cause?: unknown): DiatomError {
  const subject = entry === undefined ? '' : `its entry ${quoteName(entry)} `;
  return new DiatomError('ZIP', `The zip ${quoteName(zip)} can’t be used: ${subject}${what}`, { cause });
}

/**
 * A name for a message: control characters are made visible, because a line break in a hostile name could write
 * commands into a workflow's log, and an overlong name is shortened.
 */
export function quoteName(name: string): string {
  const shown = showControls(name);
  return `“${shown.length > 300 ? `${shown.slice(0, 150)}…${shown.slice(-100)}` : shown}”`;
}

/** Control characters (C0, DEL, C1, line and paragraph separator) as Unicode's control pictures (␀ … ␡) or as �. */
export function showControls(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (control) => {
    const code = control.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
}
