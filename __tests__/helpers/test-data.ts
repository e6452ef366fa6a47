import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** Zips of labelled images that the tests prepare, and what must come out with 10 test images a zip. */
export interface TestData {
  /** The folder with the zips. */
  readonly directory: string;
  readonly counts: Counts;
  readonly labels: readonly string[];
  /** The file list as compact JSON, for zips that are served below `baseUrl`, which ends in `/`. */
  fileList(baseUrl: string): string;
}

export interface Counts {
  readonly images: number;
  readonly train: number;
  readonly test: number;
}

/** Counted by hand in the project's six zips of real plankton: 14 + 16 + 19 + 20 + 23 + 13 images. */
const PLANKTON: Counts = { images: 105, train: 45, test: 60 };

/**
 * Finds the test data by `DIATOM_TEST_DATA`: a folder with zips and their `file-list.json`. Other data than the project's
 * own come with their counts in an `expected.json`; `scripts/test-data.ts` makes such a folder.
 *
 * @throws Error that says what to set: without data the tests would prove nothing
 */
export function testData(): TestData {
  const directory = process.env['DIATOM_TEST_DATA'];
  if (!directory) {
    throw new Error(
      'Set the environment variable DIATOM_TEST_DATA to a folder with test data: .ci/run uses the project’s real images, and “node scripts/test-data.ts FOLDER” makes a folder with drawn ones.',
    );
  }
  const entries: { file_url: string; species_label: string }[] = JSON.parse(
    readFileSync(join(directory, 'file-list.json'), 'utf8'),
  );
  const expected = join(directory, 'expected.json');
  return {
    directory,
    counts: existsSync(expected) ? JSON.parse(readFileSync(expected, 'utf8')) : PLANKTON,
    labels: [...new Set(entries.map(({ species_label }) => species_label))].sort(),
    fileList: (baseUrl) =>
      JSON.stringify(entries.map((entry) => ({ ...entry, file_url: baseUrl + posix.basename(entry.file_url) }))),
  };
}
