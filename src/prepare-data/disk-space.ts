import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DiatomError } from '../errors.ts';
import { freeBytes } from '../files/free-bytes.ts';
import { formatBytes } from '../format.ts';
import type { Inputs } from './inputs.ts';
import type { Source } from './sources.ts';

/** What a run with low-disk needs beside one zip: what is archived and not yet uploaded, and some air. */
const LOW_DISK_BYTES = 300e6;

type DiskInputs = Pick<Inputs, 'mode' | 'archiveContent' | 'keepData' | 'lowDisk'>;

/** Sizes in bytes. */
export interface DiskSizes {
  readonly zips: readonly number[];
  /** Unpacked, all together. */
  readonly images: number;
}

/** What selected sources take. */
export function sizesOf(sources: readonly Pick<Source, 'zipBytes' | 'isLastOfZip' | 'imageBytes'>[]): DiskSizes {
  return {
    zips: sources.flatMap(({ zipBytes = 0, isLastOfZip }) => (isLastOfZip ? [zipBytes] : [])),
    images: sources.reduce((bytes, { imageBytes }) => bytes + imageBytes, 0),
  };
}

/** How large an archive is whose images don't get smaller. */
export function archiveBytes({ zips, images }: DiskSizes, { archiveContent }: Pick<Inputs, 'archiveContent'>): number {
  return images + (archiveContent === 'data' ? sum(zips) : 0);
}

/** How much disk a run takes at its height. */
export function bytesNeeded(sizes: DiskSizes, inputs: DiskInputs): number {
  const { zips, images } = sizes;
  const { mode, keepData, lowDisk } = inputs;
  if (mode === 'dry-run') return sum(zips);
  if (lowDisk) return Math.max(0, ...zips) + LOW_DISK_BYTES;
  return sum(zips) + (keepData ? images : 0) + archiveBytes(sizes, inputs);
}

function sum(bytes: readonly number[]): number {
  return bytes.reduce((all, more) => all + more, 0);
}

/** What can be done about a disk that is too small. */
export function diskAdvice({ archiveContent, keepData, lowDisk }: DiskInputs): string {
  const settings = [
    archiveContent === 'data' ? 'archive-content: results (no source zips in the archive)' : undefined,
    keepData ? 'keep-data: false (no images beside the archive)' : undefined,
    lowDisk ? undefined : 'low-disk: true (no more than one zip at a time)',
  ].filter((text) => text !== undefined);
  const less = settings.length === 0 ? '' : `, or set ${settings.join(', or ')}`;
  return `Free some space, use a runner with a larger disk${less}.`;
}

export function spaceSentence(need: number, free: number, path: string): string {
  return `about ${formatBytes(need)} needed, ${formatBytes(free)} free at ${path}`;
}

/** @throws DiatomError `DISK` when something has the archive's name: nothing is ever overwritten */
export async function requireFree(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) === undefined) return;
  throw new DiatomError('DISK', `The archive can’t be written: there is a file ${path} already. Move it away.`);
}

/** @throws DiatomError `DISK` before anything is archived, when the disk is too small for it */
export async function requireSpace(sources: readonly Source[], inputs: Inputs): Promise<void> {
  const need = bytesNeeded(sizesOf(sources), inputs);
  // What of the zips has come is no longer free, and no longer needed.
  const free = (await freeBytes(inputs.workspace)) + (await bytesBelow(join(inputs.dataDir, 'downloads')));
  if (need <= free) return;
  throw new DiatomError(
    'DISK',
    `The disk is too small for this run: ${spaceSentence(need, free, inputs.workspace)}. ${diskAdvice(inputs)}`,
  );
}

async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = names.map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0);
  return sum(await Promise.all(sizes));
}
