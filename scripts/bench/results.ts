import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';
import { bundleOf, readActionMetadata } from '../action-metadata.ts';

export const CASES = [
  'start',
  'A',
  'B',
  'C',
  'D',
  'E',
  'F',
  'low-disk',
  'look',
  'publish',
  'dataset',
  'upload',
] as const;
export type CaseName = (typeof CASES)[number];
export type Place = 'disk' | 'tmpfs';

const resultSchema = z.object({
  name: z.enum(CASES),
  place: z.enum(['disk', 'tmpfs']),
  /** What was measured, once a round. */
  runs: z.record(
    z.string(),
    z.array(
      z.object({ seconds: z.number(), cpuSeconds: z.number(), peakMemoryBytes: z.number(), peakDiskBytes: z.number() }),
    ),
  ),
  /** Other numbers, such as sizes in bytes. */
  facts: z.record(z.string(), z.number()),
  /** Sentences about what could not be measured. */
  missing: z.array(z.string()),
});

/** What one case gave in one place. */
export type Result = z.infer<typeof resultSchema>;

/** The results for a bundle: those of another bundle, or of small sizes, are never mixed with them. */
export interface Store {
  /** The beginning of the SHA-256 of the bundles. */
  readonly bundle: string;
  save(result: Result): void;
  load(): Result[];
}

/** Opens what was measured so far with the present bundle. */
export function openStore(cache: string, quick: boolean): Store {
  const bundle = bundleHash();
  const folder = join(cache, 'results', `${bundle}${quick ? '-quick' : ''}`);
  mkdirSync(folder, { recursive: true });
  return {
    bundle,
    save: (result) =>
      writeFileSync(join(folder, `${result.name}-${result.place}.json`), JSON.stringify(result, undefined, 2)),
    load: () =>
      readdirSync(folder).map((name) => resultSchema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8')))),
  };
}

const MEASURED = ['prepare-data', 'publish-model', 'train-model'] as const;

/** The folder of a bundle that is measured. */
export function bundleFolder(action: (typeof MEASURED)[number] = 'prepare-data'): string {
  return dirname(bundleOf(action, readActionMetadata(action)));
}

function bundleHash(): string {
  const hash = createHash('sha256');
  for (const folder of MEASURED.map(bundleFolder)) {
    for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex').slice(0, 12);
}
