import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseCsv } from '../../src/dataset/csv.ts';
import { run } from '../helpers/commands.ts';
import type { Changes } from './said.ts';

export const DATA_SETS = 'data sets';
export const UNPUBLISHED = 'unpublished';
export const MODEL = join('models', 'diatoms');

/** An image as a manifest has it. */
export interface Image {
  readonly label: string;
  readonly split: string;
  readonly sha256: string;
}

/** The names of the archives that lie on the server, the oldest first. */
export async function archives(server: string): Promise<string[]> {
  const names = await readdir(join(server, DATA_SETS)).catch(() => []);
  return names.filter((name) => name.endsWith('.zip')).sort();
}

/** The folders with results that are no version yet. */
export function unpublished(server: string): Promise<string[]> {
  return readdir(join(server, DATA_SETS, UNPUBLISHED)).catch(() => []);
}

/** What an archive's manifest says, read by a program that nobody here wrote. */
export async function imagesOf(server: string, archive: string): Promise<Image[]> {
  const text = await run('unzip', ['-p', join(server, DATA_SETS, archive), 'results/manifest.csv']);
  return parseCsv(text).map((row) => {
    const cell = (name: string) => row.get(name) ?? '';
    return { label: cell('label'), split: cell('split'), sha256: cell('sha256') };
  });
}

/** By what name a summary has each kind of change, for the class that an image is in now, and for that where it was. */
const CHANGES: Readonly<Record<string, readonly [string, string?]>> = {
  added: ['Added'],
  returned: ['Returned'],
  relabelled: ['Relabelled to it', 'Relabelled from it'],
  removed: ['Removed'],
  moved: ['Moved to test'],
};

/** How many images of each class an archive's list of changes names, as a summary would have it. */
export async function changesOf(server: string, archive: string): Promise<Changes> {
  const text = await run('unzip', ['-p', join(server, DATA_SETS, archive), 'results/changes.csv']);
  const changes: Record<string, Record<string, number>> = {};
  const count = (label = '', name = '') => {
    if (label !== '' && name !== '') changes[label] = { ...changes[label], [name]: (changes[label]?.[name] ?? 0) + 1 };
  };
  for (const row of parseCsv(text)) {
    const [to, from] = CHANGES[row.get('change') ?? ''] ?? ['Unknown'];
    count(row.get('label'), to);
    count(row.get('from_label'), from);
  }
  return changes;
}

/** Of how many images the sides file of an archive tells. */
export async function known(server: string, archive: string): Promise<number> {
  return parseCsv(await readFile(join(server, DATA_SETS, `${archive}.sides.csv`), 'utf8')).length;
}

/** The names of the model's versions, the oldest first. */
export async function versions(server: string): Promise<string[]> {
  const names = await readdir(join(server, MODEL)).catch(() => []);
  return names.filter((name) => /^\d{8}-/.test(name)).sort();
}

/** The version that is in production. */
export async function production(server: string): Promise<string> {
  return (await textOf(server, 'production', 'VERSION')).trim();
}

/** A file of the model's folder. */
export function textOf(server: string, ...path: string[]): Promise<string> {
  return readFile(join(server, MODEL, ...path), 'utf8');
}

const modelSchema = z.object({ trained_on: z.array(z.string()) });

/** The SHA-256 of all images that a model was made of, as the training itself saw them. */
export async function trainedOn(server: string, version: string): Promise<readonly string[]> {
  return modelSchema.parse(JSON.parse(await textOf(server, version, 'model.pth'))).trained_on;
}

const comparisonSchema = z.object({ n_test: z.number(), n_compared: z.number() });

/** What a version's comparison with production says. */
export async function comparison(server: string, version: string): Promise<z.infer<typeof comparisonSchema>> {
  return comparisonSchema.parse(JSON.parse(await textOf(server, version, 'comparison.json')));
}
