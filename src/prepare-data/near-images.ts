import type { ZipEntry } from '../archive/open-zip.ts';
import type { KnownImages } from '../dataset/known-images.ts';
import type { Hashes } from '../dataset/near-index.ts';
import { HASH_WORDS } from '../image/perceptual-hash.ts';
import { batchesOf } from '../parallel/batches.ts';
import type { FillPool } from './fill-pool.ts';
import type { Looks } from './looks.ts';
import type { Source } from './sources.ts';

/** Images that look alike. */
export interface NearImages {
  /** A number that those share which look alike, also by way of others; `undefined` for an image like no other. */
  nearOf(image: ZipEntry): number | undefined;
  readonly hashes: ReadonlyMap<ZipEntry, Hashes>;
}

/**
 * Looks at all images before any of them is planned, so all zips have to be here. Images are read once more for it.
 *
 * @throws DiatomError `ZIP`, `DISK`; what a download fails with
 */
export async function findNear(
  sources: readonly Pick<Source, 'zipName' | 'downloaded'>[],
  images: readonly (readonly ZipEntry[])[],
  options: { readonly threads: FillPool; readonly looks: Looks; readonly known: KnownImages | undefined },
): Promise<NearImages> {
  const { threads, looks, known } = options;
  const parts: { readonly entries: readonly ZipEntry[]; readonly hashes: Promise<Hashes> }[] = [];
  for (const [index, { zipName, downloaded }] of sources.entries()) {
    const zip = { path: (await downloaded()).path, name: zipName };
    const own = (images[index] ?? []).toSorted((a, b) => a.headerOffset - b.headerOffset);
    for (const entries of batchesOf(own, ({ bytes }) => bytes)) {
      parts.push({ entries, hashes: looks.look(await threads.read(zip, entries)) });
      await looks.room();
    }
  }
  const entries = parts.flatMap((part) => part.entries);
  const all = new Uint32Array(entries.length * HASH_WORDS);
  let end = 0;
  for (const part of parts) {
    const hashes = await part.hashes;
    all.set(hashes, end);
    end += hashes.length;
  }
  const isKnown = Uint8Array.from(entries, (entry) => (known?.sideOf(entry) === undefined ? 0 : 1));
  const first = await looks.groups(all, isKnown);
  const size = new Uint32Array(entries.length);
  for (const root of first) size[root] = (size[root] ?? 0) + 1;
  const near = new Map<ZipEntry, number>();
  for (const [place, entry] of entries.entries()) {
    const root = first[place] ?? place;
    if ((size[root] ?? 0) > 1) near.set(entry, root);
  }
  const hashes = entries.map(
    (entry, place) => [entry, all.subarray(place * HASH_WORDS, (place + 1) * HASH_WORDS)] as const,
  );
  return { nearOf: (image) => near.get(image), hashes: new Map(hashes) };
}
