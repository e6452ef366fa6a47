import { csvField } from './csv.ts';
import { formatNTest } from './n-test.ts';
import type { PlanOptions, PlanSource } from './plan.ts';
import type { Split } from './split.ts';

/** One image of the finished data set: a line of the manifest. */
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
}

/** A source zip, without its address: that is a secret. */
export interface DatasetSource extends Omit<PlanSource, 'images'> {
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Images of one label, by split. */
export interface ClassCount {
  readonly train: number;
  readonly test: number;
}

const COLUMNS = ['path', 'label', 'split', 'sha256', 'bytes', 'width', 'height', 'source_zip', 'source_path', 'group'];

/** `manifest.csv` (RFC 4180, but LF line ends): one line an image, in the order of the archive. */
export function manifestCsv(images: readonly DatasetImage[]): string {
  const row = (fields: readonly (string | number)[]) => `${fields.map(csvField).join(',')}\n`;
  const rows = images.map(({ path, label, split, sha256, bytes, width, height, sourceZip, sourcePath, group }) =>
    row([path, label, split, sha256, bytes, width ?? '', height ?? '', sourceZip, sourcePath, group ?? '']),
  );
  return row(COLUMNS) + rows.join('');
}

/** Images per label and split; labels in alphabetical (code-point) order, as torchvision's ImageFolder numbers them. */
export function countClasses(
  images: readonly { readonly label: string; readonly split: Split }[],
): Map<string, ClassCount> {
  const counts = new Map<string, { train: number; test: number }>();
  for (const { label, split } of images) {
    const count = counts.get(label) ?? { train: 0, test: 0 };
    count[split]++;
    counts.set(label, count);
  }
  return new Map([...counts].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}

/**
 * `dataset.json`: from what and how the data set was made, so that a model can be traced to its images. It holds
 * nothing that changes from run to run: no date, no path of the machine, no address.
 */
export function datasetJson(dataset: {
  readonly options: PlanOptions;
  readonly imageExtensions: readonly string[];
  readonly sources: readonly DatasetSource[];
  readonly images: readonly DatasetImage[];
}): string {
  const { options, imageExtensions, sources, images } = dataset;
  const classes = countClasses(images);
  const description = {
    format: 1,
    seed: options.seed,
    options: {
      split: options.split,
      group_by: options.groupBy?.source ?? null,
      duplicates: options.duplicates,
      label_conflicts: options.labelConflicts,
      image_extensions: [...imageExtensions],
    },
    sources: sources.map(({ zipName, sha256, folder, label, nTest }) => ({
      file_name: zipName,
      sha256,
      folder,
      label,
      n_test: formatNTest(nTest),
    })),
    counts: {
      train: images.filter(({ split }) => split === 'train').length,
      test: images.filter(({ split }) => split === 'test').length,
      classes: Object.fromEntries(classes),
    },
  };
  return `${JSON.stringify(description, null, 2)}\n`;
}
