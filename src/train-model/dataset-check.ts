import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { adviseOnClasses } from '../dataset/advice.ts';
import { isCompanion } from '../dataset/other-files.ts';
import { createSentences } from '../dataset/sentences.ts';
import type { ClassCount } from '../dataset/tally.ts';
import { DiatomError, throwIfCancelled } from '../errors.ts';
import { diskFailure } from '../files/disk-failure.ts';
import { bytesOfFile } from '../image/image-bytes.ts';
import { imageFault } from '../image/image-fault.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { compareCodePoints } from '../text/code-points.ts';
import { nearest } from '../text/nearest.ts';

type Split = 'train' | 'test';

export interface DatasetCheck {
  /** Share of unreadable images in a split from which on a training is refused, as the template's programs do. */
  readonly maxBroken: number;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
}

interface Files {
  readonly label: string;
  /** Below the data set's folder. */
  readonly paths: readonly string[];
}

interface Look {
  readonly counts: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}

/** As many files are read at a time. */
const READERS = 8;

/** The template's own limit, where `MAX_BROKEN` is not set. */
const MAX_BROKEN = 0.1;

/** The limit that the template's programs will have. What is no number is theirs to refuse. */
export function maxBrokenOf(env: ReadonlyMap<string, string>): number {
  const text = env.get('MAX_BROKEN')?.trim();
  const limit = Number(text || MAX_BROKEN);
  return Number.isFinite(limit) ? limit : MAX_BROKEN;
}

/**
 * Finds before anything is trained what would else be found at its end, or never: classes that can't be tested, files that
 * are no images, classes with hardly any image.
 *
 * @throws DiatomError `DATA_SET` with all that has to be put right, `DISK`, `CANCELLED`
 */
export async function checkDataset(folder: string, check: DatasetCheck): Promise<void> {
  const [train, test] = [await listSplit(folder, 'train'), await listSplit(folder, 'test')];
  const looks = { train: await lookAt(folder, train, check), test: await lookAt(folder, test, check) };
  const problems = [
    ...classProblems(looks.train.counts, looks.test.counts),
    ...emptyClasses(looks),
    ...(['train', 'test'] as const).flatMap((split) => tooManyBroken(split, looks[split], check.maxBroken)),
  ];
  if (problems.length > 0) {
    throw new DiatomError('DATA_SET', `The data set can’t be trained and tested with:\n${problems.join('\n')}`);
  }
  for (const warning of warningsOf(looks)) check.onWarning(warning);
}

async function listSplit(folder: string, split: Split): Promise<Files[]> {
  const classes = (await readdir(join(folder, split), { withFileTypes: true })).flatMap((entry) =>
    entry.isDirectory() && !entry.name.startsWith('.') ? [entry.name] : [],
  );
  const list = async (label: string): Promise<Files> => {
    const below = `${split}/${label}`;
    const entries = await readdir(join(folder, below), { recursive: true, withFileTypes: true });
    const files = entries.filter(({ name }) => !name.startsWith('.') && !isCompanion(endingOf(name)));
    const paths = files.flatMap((file) => (file.isDirectory() ? [] : [join(file.parentPath, file.name)]));
    return { label, paths: paths.map((path) => path.slice(folder.length + 1)).sort(compareCodePoints) };
  };
  return Promise.all(classes.sort(compareCodePoints).map(list));
}

async function lookAt(folder: string, classes: readonly Files[], { signal }: DatasetCheck): Promise<Look> {
  const files = classes.flatMap(({ label, paths }) => paths.map((path) => ({ label, path })));
  const found = await mapParallel(files, READERS, async ({ label, path }) => {
    throwIfCancelled(signal);
    const fault = await faultOf(join(folder, path), endingOf(path));
    return { label, fault: fault === undefined ? undefined : `${path} ${fault}` };
  });
  const counts = new Map(classes.map(({ label }) => [label, 0]));
  for (const { label, fault } of found) if (fault === undefined) counts.set(label, (counts.get(label) ?? 0) + 1);
  return { counts, faults: found.flatMap(({ fault }) => fault ?? []) };
}

async function faultOf(path: string, ending: string): Promise<string | undefined> {
  try {
    await using file = await open(path);
    return imageFault(bytesOfFile(file.fd, (await file.stat()).size), ending);
  } catch (error) {
    throw diskFailure('read', path, error);
  }
}

function endingOf(path: string): string {
  return /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
}

function classProblems(train: ReadonlyMap<string, number>, test: ReadonlyMap<string, number>): string[] {
  const known = [...train.keys()];
  const foreign = [...test.keys()]
    .filter((label) => !train.has(label))
    .map((label) => {
      const like = known.find((other) => other.toLowerCase() === label.toLowerCase()) ?? nearest(label, known);
      return like === '' ? `“${label}”` : `“${label}” (train has “${like}”)`;
    });
  return [
    ...(foreign.length > 0
      ? [
          `test has classes that train lacks, so that no model could know them: ${foreign.join(', ')}. Name them as in train, or take them out.`,
        ]
      : []),
    ...(known.length === 1
      ? [`train has only the class “${known[0]}”, and there is nothing to tell apart. At least two are needed.`]
      : []),
  ];
}

function emptyClasses({ train, test }: Readonly<Record<Split, Look>>): string[] {
  const empty = (split: Split, { counts }: Look) =>
    [...counts].flatMap(([label, count]) => (count === 0 ? [`${split}/${label}`] : []));
  const folders = [...empty('train', train), ...empty('test', test)];
  if (folders.length === 0) return [];
  return [
    `There is no image that can be read in ${folders.join(', ')}: classes are numbered by their folders, so add images or delete the folders.`,
  ];
}

function tooManyBroken(split: Split, { counts, faults }: Look, maxBroken: number): string[] {
  const all = faults.length + [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (faults.length <= maxBroken * all) return [];
  return [
    `${faults.length} of the ${all} images in ${split} can’t be read, and MAX_BROKEN=${maxBroken} (input env) allows fewer. Was the data set copied completely?`,
    ...listed(faults),
  ];
}

function warningsOf({ train, test }: Readonly<Record<Split, Look>>): string[] {
  const faults = [...train.faults, ...test.faults];
  const unmeasured = [...train.counts.keys()].filter((label) => !test.counts.has(label));
  const counts = [...train.counts].map(([label, count]): [string, ClassCount] => [
    label,
    { train: count, test: test.counts.get(label) ?? 0 },
  ]);
  return [
    ...(faults.length > 0 ? [`Images that can’t be read:\n${listed(faults).join('\n')}`] : []),
    ...(unmeasured.length > 0
      ? [`There are no test images of ${unmeasured.join(', ')}: how well they are recognised will not be known.`]
      : []),
    ...adviseOnClasses(new Map(counts)),
  ];
}

function listed(faults: readonly string[]): string[] {
  const sentences = createSentences();
  for (const fault of faults) sentences.add(`- ${fault}`);
  return sentences.shown();
}
