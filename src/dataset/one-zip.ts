import type { FileListEntry } from './file-list-entry.ts';

/** What tells a zip from others before it is downloaded; `undefined` where a list has no such text. */
interface Named {
  readonly fileUrl: string | undefined;
  readonly sha256: string | undefined;
}

/**
 * Which entries of a list are about one zip: those with one address, or one SHA-256.
 *
 * @returns for each entry the place of the first entry with its zip
 */
export function firstOfZip(entries: readonly Named[]): number[] {
  const first = entries.map((_, index) => index);
  const firstOf = (index: number): number => {
    const next = first[index] ?? index;
    return next === index ? index : firstOf(next);
  };
  const seen = new Map<string, number>();
  for (const [index, { fileUrl, sha256 }] of entries.entries()) {
    for (const key of [fileUrl && addressOf(fileUrl), sha256?.toLowerCase()]) {
      if (!key) continue;
      const [one, other] = [firstOf(seen.get(key) ?? index), firstOf(index)];
      first[Math.max(one, other)] = Math.min(one, other);
      seen.set(key, index);
    }
  }
  return first.map((_, index) => firstOf(index));
}

/** In one spelling. */
function addressOf(fileUrl: string): string {
  return URL.parse(fileUrl)?.href ?? fileUrl;
}

/**
 * Puts the entries of each zip together, where the first of them is, with one address, one name and one SHA-256: a zip is
 * downloaded once, and used up before the next one. From here on, entries with one name are about one zip.
 */
export function gatherZips(entries: readonly FileListEntry[]): FileListEntry[] {
  const zips = new Map<number, FileListEntry[]>();
  for (const [index, first] of firstOfZip(entries).entries()) {
    const own = zips.get(first) ?? [];
    zips.set(first, own);
    own.push(...entries.slice(index, index + 1));
  }
  return [...zips.values()].flatMap((own) => {
    const sha256 = own.find((entry) => entry.sha256 !== undefined)?.sha256;
    return own.map((entry) => ({
      ...entry,
      fileUrl: own[0]?.fileUrl ?? entry.fileUrl,
      downloadedFileName: own[0]?.downloadedFileName ?? entry.downloadedFileName,
      sha256,
    }));
  });
}

/** The first of each zip, of entries or whatever else tells the name of its zip. */
export function oncePerZip<Item>(items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const name = nameOf(item);
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}
