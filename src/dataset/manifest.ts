import { csvField } from './csv.ts';
import { formatNTest } from './n-test.ts';
import type { PlanOptions, PlanSource } from './plan-types.ts';
import { formatCrc32 } from './sides.ts';
import type { Split } from './split.ts';
import type { ClassCount } from './tally.ts';

/** One image of the finished data set. */
export interface DatasetImage {
  /** Below `results`: `train/<label>/<file name>`. */
  readonly path: string;
  readonly label: string;
  readonly split: Split;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  /** In pixels, as stored (before any EXIF rotation); `undefined` when the file could not be read as an image. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly sourceZip: string;
  /** Path inside the source zip. */
  readonly sourcePath: string;
  /** What `group-by` keeps together, as `groupOf` names it; `undefined` for none. */
  readonly group: string | undefined;
  readonly crc32: number;
  /** What is wrong with the image, as the rest of “it …”; `undefined` for nothing. */
  readonly fault: string | undefined;
}

/** What the manifest has instead of the side of a broken image, which is not in the data set and has no path there. */
export const LEFT_OUT = 'left-out';

/** A line of the manifest. */
export type ListedImage = Omit<DatasetImage, 'split'> & { readonly split: Split | typeof LEFT_OUT };

/** A source zip, without its address: that is a secret. */
export interface DatasetSource extends Omit<PlanSource, 'imageCount' | 'alikeCount' | 'knownCount'> {
  /** Hexadecimal. */
  readonly sha256: string;
  /** How many micrometres a pixel of its images is wide, where the list tells. */
  readonly umPerPixel?: number | undefined;
}

const COLUMNS = [
  'path',
  'label',
  'split',
  'sha256',
  'bytes',
  'width',
  'height',
  'source_zip',
  'source_path',
  'group',
  'crc32',
  'fault',
];

/** The first line of `manifest.csv` (RFC 4180, but LF line ends). A line an image follows, in the order of the archive. */
export const MANIFEST_HEADER = row(COLUMNS);

export function manifestLine(image: ListedImage): string {
  const { path, label, split, sha256, bytes, width, height, sourceZip, sourcePath, group, crc32, fault } = image;
  const size = [width ?? '', height ?? ''];
  const place = [sourceZip, sourcePath, group ?? '', formatCrc32(crc32)];
  return row([path, label, split, sha256, bytes, ...size, ...place, fault ?? '']);
}

function row(fields: readonly (string | number)[]): string {
  return `${fields.map(csvField).join(',')}\n`;
}

/**
 * `dataset.json`: from what and how the data set was made, so that a model can be traced to its images. It holds
 * nothing that changes from run to run of the same settings: no date, no path of the machine, no address.
 */
export function datasetJson(dataset: {
  readonly options: PlanOptions;
  readonly imageExtensions: readonly string[];
  /** What a settings file says about it, and the commit of that file. */
  readonly settings?: { readonly commit: string | null; readonly values: Readonly<Record<string, string>> } | undefined;
  readonly sources: readonly DatasetSource[];
  readonly classes: ReadonlyMap<string, ClassCount>;
}): string {
  const { options, imageExtensions, settings, sources, classes } = dataset;
  const total = (split: Split) => [...classes.values()].reduce((sum, count) => sum + count[split], 0);
  const description = {
    format: 1,
    seed: options.seed,
    options: {
      split: options.split,
      group_by: options.groupBy?.source ?? null,
      duplicates: options.duplicates,
      label_conflicts: options.labelConflicts,
      near_duplicates: options.nearDuplicates,
      image_extensions: [...imageExtensions],
    },
    ...(settings && { settings }),
    sources: sources.map(({ zipName, sha256, folder, label, nTest, umPerPixel }) => ({
      file_name: zipName,
      sha256,
      folder,
      label,
      n_test: formatNTest(nTest),
      ...(umPerPixel !== undefined && { um_per_pixel: umPerPixel }),
    })),
    counts: {
      train: total('train'),
      test: total('test'),
      classes: Object.fromEntries(classes),
    },
  };
  return `${JSON.stringify(description, null, 2)}\n`;
}
