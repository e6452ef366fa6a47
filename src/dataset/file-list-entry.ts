import type { NTest } from './n-test.ts';

/** A folder of a zip, and its label, checked. */
export interface FileListEntry {
  /** Secret: it may carry a token. */
  readonly fileUrl: string;
  readonly downloadedFileName: string;
  /** The folder inside the zip that holds the images; `.` for the whole zip; `*`, or `folder/*`, for every folder there. */
  readonly explodedFolderName: string;
  /** `*` where every folder is a class, named after it. */
  readonly speciesLabel: string;
  /** Labels of folders that are not to be named after the folder. */
  readonly classes?: ReadonlyMap<string, string> | undefined;
  /** Lower-case hexadecimal. */
  readonly sha256: string | undefined;
  readonly nTest: NTest | undefined;
  /** How many micrometres a pixel of its images is wide. */
  readonly umPerPixel?: number | undefined;
}
