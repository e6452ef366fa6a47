import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { run } from '../helpers/commands.ts';
import type { Lab } from './lab.ts';
import {
  archives,
  DATA_SETS,
  imagesOf,
  MODEL,
  production,
  textOf,
  trainedOn,
  UNPUBLISHED,
  unpublished,
  versions,
} from './records.ts';

/** What must be true at the end of every month, whatever has happened. */
export async function expectAllInOrder({ server: { directory } }: Lab): Promise<void> {
  await expectNothingLeftOver(directory);
  await expectNoTestImageTrainedOn(directory);
  const all = await versions(directory);
  for (const version of all) await expectSound(directory, version);
  if (all.length === 0) return;
  await expectSound(directory, 'production');
  const current = await production(directory);
  expect(all).toContain(current);
  const zips = (await readdir(join(directory, MODEL))).filter((name) => name.endsWith('.zip'));
  expect(zips).toEqual([`diatoms-${current}.zip`]);
  const page = await textOf(directory, 'index.html');
  for (const version of all) expect(page).toContain(version);
  expect(page).toContain(`In production is ${current}, since `);
  expect(await textOf(directory, 'production', 'model.pth')).toBe(await textOf(directory, current, 'model.pth'));
}

/** Compares a folder on the server with its SHA256SUMS, by a program that nobody here wrote. */
async function expectSound(server: string, folder: string): Promise<void> {
  const cwd = join(server, MODEL, folder);
  const checked = await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd });
  // What became of a version is written down later, and changes.
  const others = ['SHA256SUMS', 'VERSION', 'verdict.json'];
  const files = (await readdir(cwd)).filter((name) => !others.includes(name));
  expect(checked.match(/: OK$/gm)).toHaveLength(files.length);
}

async function expectNothingLeftOver(server: string): Promise<void> {
  const expected = (await archives(server)).flatMap((name) => [name, `${name}.run.json`, `${name}.sides.csv`]);
  const folder =
    /^((?:diatoms-)?\d{8}-\d{6}-[0-9a-f]{7}(?:\.zip)?|production|production\.previous-[\w-]+|index\.html|\.publish-lock)$/;
  const names = (path: string) => readdir(join(server, path)).catch(() => []);
  expect((await names('')).filter((name) => name !== DATA_SETS && name !== 'models')).toEqual([]);
  expect((await names(DATA_SETS)).filter((name) => name !== UNPUBLISHED).sort()).toEqual(expected);
  expect(await unpublished(server)).toEqual([]);
  expect((await names(MODEL)).filter((name) => !folder.test(name))).toEqual([]);
  expect(await names(join(MODEL, '.publish-lock'))).toEqual([]);
}

/** Of all data sets that there were, and of all that any model was made of. */
async function expectNoTestImageTrainedOn(server: string): Promise<void> {
  const test = new Set<string>();
  const train = new Set<string>();
  for (const archive of await archives(server)) {
    for (const { split, sha256 } of await imagesOf(server, archive)) (split === 'test' ? test : train).add(sha256);
  }
  for (const version of await versions(server)) {
    const seen = await trainedOn(server, version);
    const [, ...lines] = (await textOf(server, version, 'training-images.csv')).trim().split('\n');
    // What the version says about the training is what it saw.
    expect(lines.map((line) => line.split(',')[0]).sort()).toEqual(seen);
    for (const sha256 of seen) train.add(sha256);
  }
  expect([...test].filter((sha256) => train.has(sha256))).toEqual([]);
}
