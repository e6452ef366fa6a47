import * as z from 'zod/mini';
import { formatNTest } from '../dataset/n-test.ts';
import { RULES_VERSION } from '../dataset/rules.ts';
import type { ClassCount } from '../dataset/tally.ts';
import { cacheKeyOf } from '../download/cache.ts';
import type { Downloaded } from '../download/download-file.ts';
import { DiatomError } from '../errors.ts';
import type { Inputs } from './inputs.ts';

const Sum = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const Count = z.int().check(z.nonnegative());
const Stored = z.object({ bytes: Count, sha256: Sum });

/** What changes a data set beside its zips. */
const Options = z.object({
  split: z.string(),
  /** `null` where it does not matter, as old sides are kept and nobody gave one. */
  seed: z.nullable(z.string()),
  group_by: z.nullable(z.string()),
  duplicates: z.string(),
  label_conflicts: z.string(),
  near_duplicates: z.string(),
  image_extensions: z.array(z.string()),
  archive_content: z.string(),
  broken_images: z.string(),
});

/** An entry of the file list. Its address is a secret: only its sum is kept. */
const Entry = z.object({
  url_sha256: Sum,
  bytes: Count,
  /** A strong ETag or Last-Modified; `null` where its server gives none. */
  validator: z.nullable(z.string()),
  sha256: Sum,
  zip: z.string(),
  folder: z.string(),
  label: z.string(),
  /** Labels of folders, where every folder is a class. */
  classes: z.optional(z.record(z.string(), z.string())),
  n_test: z.string(),
  um_per_pixel: z.optional(z.number()),
});

const Format = z.object({
  format: z.literal(1),
  rules: z.int(),
  archive: z.object({ name: z.string(), bytes: Count, sha256: Sum }),
  /** `null` for a split that keeps none. */
  sides: z.nullable(Stored),
  data_identity: Sum,
  options: Options,
  entries: z.array(Entry),
  seed: z.string(),
  classes: z.record(z.string(), z.object({ train: Count, test: Count })),
});

/** `<archive>.run.json`: from what an archive was made, so that a later run can tell whether anything is new. */
export type RunRecord = z.infer<typeof Format>;
export type RecordedEntry = RunRecord['entries'][number];

export function formatRecord(record: RunRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** @throws DiatomError `DATA_SET` naming the file */
export function parseRecord(text: string, name: string): RunRecord {
  try {
    return Format.parse(JSON.parse(text));
  } catch (cause) {
    throw new DiatomError('DATA_SET', `${name} is damaged, or was written by another version.`, { cause });
  }
}

/** The options of a run in the form of a record. */
export function recordedOptions(
  inputs: Pick<Inputs, 'plan' | 'isSeedGiven' | 'imageExtensions' | 'archiveContent' | 'brokenImages'>,
): RunRecord['options'] {
  const { split, seed, groupBy, duplicates, labelConflicts, nearDuplicates } = inputs.plan;
  return {
    split,
    seed: split === 'keep' && !inputs.isSeedGiven ? null : seed,
    group_by: groupBy?.source ?? null,
    duplicates,
    label_conflicts: labelConflicts,
    near_duplicates: nearDuplicates,
    image_extensions: [...inputs.imageExtensions],
    archive_content: inputs.archiveContent,
    broken_images: inputs.brokenImages,
  };
}

type ListedZip = Pick<RecordedEntry, 'url_sha256' | 'zip' | 'folder' | 'label' | 'classes' | 'n_test' | 'um_per_pixel'>;

/** The file list in the form of a record, as far as it tells before anything is downloaded. */
export function recordedList({ fileList, nTest }: Pick<Inputs, 'fileList' | 'nTest'>): ListedZip[] {
  return fileList.map((entry) => ({
    url_sha256: cacheKeyOf(entry.fileUrl),
    zip: entry.downloadedFileName,
    folder: entry.explodedFolderName,
    label: entry.speciesLabel,
    ...(entry.classes && { classes: Object.fromEntries(entry.classes) }),
    n_test: formatNTest(entry.nTest ?? nTest),
    ...(entry.umPerPixel !== undefined && { um_per_pixel: entry.umPerPixel }),
  }));
}

/** What a run has made, in the form of a record. */
export function makeRecord(
  inputs: Parameters<typeof recordedOptions>[0] & Parameters<typeof recordedList>[0],
  made: {
    readonly archive: RunRecord['archive'];
    readonly sides: { readonly bytes: number; readonly sha256: string } | undefined;
    readonly dataIdentity: string;
    /** In the order of the file list. */
    readonly zips: readonly Pick<Downloaded, 'bytes' | 'sha256' | 'validator'>[];
    readonly classes: ReadonlyMap<string, ClassCount>;
  },
): RunRecord {
  const { archive, sides, zips } = made;
  const list = recordedList(inputs);
  return {
    format: 1,
    rules: RULES_VERSION,
    archive: { name: archive.name, bytes: archive.bytes, sha256: archive.sha256 },
    sides: sides ? { bytes: sides.bytes, sha256: sides.sha256 } : null,
    data_identity: made.dataIdentity,
    options: recordedOptions(inputs),
    entries: zips.flatMap(({ bytes, sha256, validator = null }, index) => {
      const listed = list[index];
      return listed ? [{ ...listed, bytes, sha256, validator }] : [];
    }),
    seed: inputs.plan.seed,
    classes: Object.fromEntries(made.classes),
  };
}

/** Whether a recorded archive was made by today's rules, with the same options, of a list of the same zips by name. */
export function agreesWith(
  record: RunRecord,
  inputs: Parameters<typeof recordedOptions>[0] & Parameters<typeof recordedList>[0],
): boolean {
  const now = recordedList(inputs).map(withoutAddress);
  return (
    record.rules === RULES_VERSION &&
    JSON.stringify(record.options) === JSON.stringify(recordedOptions(inputs)) &&
    JSON.stringify(record.entries.map(withoutAddress)) === JSON.stringify(now)
  );
}

function withoutAddress({ zip, folder, label, classes = {}, n_test, um_per_pixel }: ListedZip) {
  return [zip, folder, label, Object.entries(classes), n_test, um_per_pixel];
}
