import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageSet } from './images.ts';
import type { Figures } from './measure.ts';
import type { Place, Result } from './results.ts';
import { emptyStorage, makeOpenFolder, type Site } from './servers.ts';

/** Where and how a case is measured. */
export interface Bench {
  readonly place: Place;
  /** A new folder on the disk or tmpfs for servers and workspaces; it is deleted after the case. */
  readonly folder: string;
  /** Small sizes, once each: it shows that everything works. */
  readonly quick: boolean;
  /** At most so many rounds. */
  readonly rounds: number;
  /** The inputs that the action has. */
  readonly inputs: ReadonlySet<string>;
  /** Makes the zips where they are not there yet, in the same place. */
  zips(set: ImageSet): Promise<string>;
}

/** What a case gives. */
export type Measured = Omit<Result, 'name' | 'place'>;

/** One of the things that are compared. */
export interface Variant {
  /** At most so many rounds; the slow ones get fewer. */
  readonly rounds: number;
  /** Whose uploads are deleted afterwards. */
  readonly site: Site;
  /** Runs it in an empty folder. */
  run(workspace: string): Promise<Figures>;
}

/** Measures all variants once a round, one after the other. */
export async function alternate(
  bench: Bench,
  variants: Readonly<Record<string, Variant>>,
): Promise<Record<string, Figures[]>> {
  const runs: Record<string, Figures[]> = {};
  for (let round = 1; round <= bench.rounds; round++) {
    for (const [name, variant] of Object.entries(variants)) {
      if (round > variant.rounds) continue;
      const { seconds, cpuSeconds, peakMemoryBytes, peakDiskBytes } = await inFreshFolder(bench, variant);
      const sizes = `${Math.round(peakMemoryBytes / 2 ** 20)} MiB of memory, ${Math.round(peakDiskBytes / 1e6)} MB of disk`;
      console.log(
        `  round ${round}, ${name}: ${seconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} s of processors), ${sizes}`,
      );
      runs[name] = [...(runs[name] ?? []), { seconds, cpuSeconds, peakMemoryBytes, peakDiskBytes }];
    }
  }
  return runs;
}

/** Nothing of an earlier run is left, neither in a folder nor waiting to be written to the disk. */
export async function inFreshFolder({ folder }: Bench, { site, run }: Omit<Variant, 'rounds'>): Promise<Figures> {
  const workspace = await makeOpenFolder(await mkdtemp(join(folder, 'workspace-')));
  try {
    execFileSync('sync');
    return await run(workspace);
  } finally {
    emptyFiles(workspace);
    await emptyStorage(site);
  }
}

/**
 * Gives the space of files back and lets the files be. ext4 without a journal looks at every file that was deleted in the
 * last minutes before it makes a new one near it: who is measured after a deletion would be up to ten times slower.
 */
function emptyFiles(folder: string): void {
  const files = [folder, '-type', 'f'];
  // Those with a second name are somebody else's, too: the runner's tool cache.
  execFileSync('find', [...files, '-links', '+1', '-delete']);
  execFileSync('find', [...files, '-exec', 'truncate', '--size=0', '{}', '+']);
}

/** The variants where the action has an input, or what to say where it has not. */
export function withInputs(
  { inputs }: Bench,
  needed: readonly string[],
  variants: Readonly<Record<string, Variant>>,
): { readonly variants: Readonly<Record<string, Variant>>; readonly missing: string[] } {
  const absent = needed.filter((name) => !inputs.has(name));
  if (absent.length === 0) return { variants, missing: [] };
  const names = absent.map((name) => `\`${name}\``).join(' and ');
  return { variants: {}, missing: [`Not measured: the action has no input ${names}.`] };
}

/** Sizes of the zips in a folder. */
export async function zipSizes(
  folder: string,
): Promise<{ readonly zipBytes: number; readonly largestZipBytes: number }> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.zip'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return { zipBytes: sizes.reduce((sum, size) => sum + size, 0), largestZipBytes: Math.max(...sizes) };
}
