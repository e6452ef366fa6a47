import { openZip } from '../archive/open-zip.ts';
import { csvField } from '../dataset/csv.ts';
import type { NearPair } from '../dataset/near-duplicates.ts';
import type { PlanOptions } from '../dataset/plan-types.ts';
import type { ReportNear, ReportPicture } from '../dataset/report-types.ts';
import type { FoundNear } from './near-finder.ts';
import { createPictures } from './pictures.ts';
import { rowsOfManifest } from './read-manifest.ts';
import type { Source } from './sources.ts';
import type { Picture } from './thread-jobs.ts';

/** So many pairs are shown in the report, the nearest; the file lists all. */
const SHOWN_PAIRS = 30;

/** Of a picture: all pairs take less than a seventh of the report's 3 MB. */
const PICTURE_BYTES = 5_000;

/** A larger image is not read once more for a picture. */
const MAX_PICTURED_BYTES = 64 * 2 ** 20;

/** Where an image of a pair is. */
interface Place {
  /** Below `results`. */
  readonly path: string;
  readonly label: string;
  readonly zipName: string;
  readonly sourcePath: string;
}

interface PlacedPair {
  readonly test: Place;
  readonly train: Place;
  readonly distance: number;
}

/** What is said about test images that look like training images. */
export interface DescribedNear {
  readonly report: ReportNear;
  /** `undefined` when there are none. */
  readonly csv: string | undefined;
  readonly warnings: readonly string[];
}

/**
 * Describes pairs once all images are in the manifest, which tells where they are. Those that are shown are read once more.
 *
 * @throws DiatomError `DISK`, `ZIP`
 */
export async function describeNear(
  { pairs, unseen }: FoundNear,
  options: {
    readonly manifest: string;
    readonly sources: readonly Pick<Source, 'zipName' | 'downloaded'>[];
    /** Whether zips are gone once their images are in the archive. */
    readonly lowDisk: boolean;
    readonly plan: Pick<PlanOptions, 'nearDuplicates' | 'split'>;
  },
): Promise<DescribedNear> {
  const placed = pairs.length === 0 ? [] : await placePairs(pairs, options.manifest);
  const shown = await picture(placed.slice(0, SHOWN_PAIRS), options);
  return {
    report: { count: placed.length, unseen, pairs: shown },
    csv: placed.length === 0 ? undefined : csvOf(placed),
    warnings: placed.length === 0 ? [] : [warning(placed.length, options.plan)],
  };
}

function warning(count: number, { nearDuplicates, split }: Pick<PlanOptions, 'nearDuplicates' | 'split'>): string {
  const look = count === 1 ? '1 test image looks' : `${count} test images look`;
  const advice =
    nearDuplicates === 'together'
      ? 'They are known images, which stay where they are: take one of each pair out of the zips.'
      : `Set near-duplicates: together to keep ${split === 'keep' ? 'new images' : 'them'} on one side, or take one of each pair out of the zips.`;
  return `${look} like a training image (saved again, scaled, brightened, turned or mirrored), so that a model may know the answer: the report shows them, near-duplicates.csv lists them. ${advice}`;
}

function csvOf(pairs: readonly PlacedPair[]): string {
  const rows = pairs.map(({ test, train, distance }) => [test.path, train.path, distance].map(csvField).join(','));
  return `${['test_path,train_path,distance', ...rows].join('\n')}\n`;
}

async function placePairs(pairs: readonly NearPair[], manifest: string): Promise<PlacedPair[]> {
  const wanted = new Set(pairs.flatMap(({ test, train }) => [test, train]));
  const places = new Map<number, Place>();
  let image = 0;
  for await (const row of rowsOfManifest(manifest)) {
    if (wanted.has(image)) {
      const text = (column: string) => row.get(column) ?? '';
      places.set(image, {
        path: text('path'),
        label: text('label'),
        zipName: text('source_zip'),
        sourcePath: text('source_path'),
      });
    }
    image++;
  }
  return pairs.flatMap(({ distance, ...of }) => {
    const [test, train] = [places.get(of.test), places.get(of.train)];
    return test && train ? [{ test, train, distance }] : [];
  });
}

async function picture(
  pairs: readonly PlacedPair[],
  {
    sources,
    lowDisk,
  }: { readonly sources: readonly Pick<Source, 'zipName' | 'downloaded'>[]; readonly lowDisk: boolean },
): Promise<ReportNear['pairs']> {
  const places = new Set(pairs.flatMap(({ test, train }) => [test, train]));
  const pictures = new Map<Place, ReportPicture>();
  const maker = createPictures(PICTURE_BYTES);
  try {
    for (const [zipName, own] of Map.groupBy(places, (place) => place.zipName)) {
      const source = sources.find((one) => one.zipName === zipName);
      const files =
        lowDisk || !source
          ? new Map<Place, Picture['data']>()
          : await readAgain((await source.downloaded()).path, zipName, own);
      const asked = own.filter((place) => files.has(place));
      await maker.add(asked.map((place) => ({ ...describe(place), data: files.get(place) })));
    }
    for (const made of await maker.finish()) {
      const place = [...places].find(({ path }) => path === pathOf(made));
      if (place) pictures.set(place, made);
    }
  } finally {
    await maker.close();
  }
  const notShown = lowDisk ? 'with low-disk, its zip is gone' : 'the file is very large';
  const of = (place: Place) => pictures.get(place) ?? { ...describe(place), picture: { notShown } };
  return pairs.map(({ test, train, distance }) => ({ test: of(test), train: of(train), distance }));
}

/** The images of a zip that are not too large. */
async function readAgain(zip: string, zipName: string, places: readonly Place[]): Promise<Map<Place, Picture['data']>> {
  const byPath = new Map(places.map((place) => [place.sourcePath, place]));
  const found = new Map<Place, Picture['data']>();
  const open = await openZip(zip, { name: zipName, accept: (path) => byPath.has(path) });
  try {
    for (const entry of open.entries) {
      const place = byPath.get(entry.path);
      if (place && entry.bytes <= MAX_PICTURED_BYTES) found.set(place, Uint8Array.from(await open.read(entry)));
    }
    return found;
  } finally {
    await open.close();
  }
}

/** What a path below `results` says: its side, its label and its name. */
function describe({ path, label }: Place): Omit<ReportPicture, 'picture'> {
  const split = path.startsWith('test/') ? 'test' : 'train';
  return { label, split, fileName: path.slice(`${split}/${label}/`.length) };
}

function pathOf({ split, label, fileName }: ReportPicture): string {
  return `${split}/${label}/${fileName}`;
}
