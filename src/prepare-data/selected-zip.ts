import { createHash } from 'node:crypto';
import { openZip, readZipEntries, type ZipEntry } from '../archive/open-zip.ts';
import { zipFault } from '../archive/zip-fault.ts';
import { isIncompleteNote, MAX_NOTE_BYTES, requireComplete, suspicion } from '../dataset/incomplete-notes.ts';
import type { Selection } from '../dataset/select-images.ts';
import { DiatomError } from '../errors.ts';
import type { DownloadingZip } from './download-zips.ts';

export interface DownloadedZip {
  readonly path: string;
  /** Of the zip, in hexadecimal. */
  readonly sha256: string;
}

/** A zip that can be read, as far as it is here. What is read before it is whole may be wrong. */
export interface OpenSource {
  /** In code-point order of their paths. */
  readonly images: readonly ZipEntry[];
  /** Of the file as far as it is here. */
  path(): string;
  /** Waits until so many bytes are here. @throws DiatomError as `downloaded` */
  reach(bytes: number): Promise<void>;
  /**
   * Waits for all of it.
   *
   * @throws DiatomError as `downloaded`; `DOWNLOAD` when it is not the zip that was selected from
   */
  whole(): Promise<DownloadedZip>;
}

/** A smaller zip is waited for: it is here soon. */
const LARGE_BYTES = 32 * 2 ** 20;

/** A zip whose images were selected; the zip itself may still be on its way. */
export interface SelectedZip {
  readonly selection: Selection<ZipEntry>;
  /** Where known before it is here. */
  readonly zipBytes: number | undefined;
  /**
   * The zip once it is here; begins its download where that waits for it.
   *
   * @throws DiatomError what its download fails with
   */
  readonly downloaded: () => Promise<DownloadedZip>;
  /**
   * The zip, and the images of one of the selected folders: where possible while it still comes, else once all of it is
   * here. Asked for in order, so that the zip's directory is read once for all.
   *
   * @param whole whether all of it has to be here
   * @throws DiatomError as `downloaded`; `DOWNLOAD` when it is not the zip that was selected from
   */
  readonly open: (folder: number, options: { readonly whole: boolean }) => Promise<OpenSource>;
}

/**
 * Reads a zip's directory, from the server or from the file, whichever comes first, and selects its images. What is wrong
 * with a zip is said about the file.
 *
 * @throws DiatomError `ZIP`; what `select` throws, and what the download fails with
 */
export async function selectZip(
  { begin, file, remote, part, reach }: DownloadingZip,
  {
    open: options,
    select,
    keepImages,
    isPinned,
  }: {
    readonly open: Parameters<typeof openZip>[1];
    readonly select: (entries: readonly ZipEntry[]) => Selection<ZipEntry>;
    readonly keepImages: boolean;
    /** Whether the list says what the zip's SHA-256 is. */
    readonly isPinned: boolean;
  },
): Promise<SelectedZip> {
  const downloaded = async () => {
    begin();
    const { path, sha256 } = await file;
    return { path, sha256 };
  };
  let here: string | undefined;
  file.then(
    ({ path }) => {
      here = path;
    },
    () => undefined,
  );
  const readEntries = async () => {
    const zip = await openZip((await downloaded()).path, options);
    await zip.close();
    return zip.entries;
  };
  const readAhead = () => Promise.race([readRemote(remote, options), file.then(() => undefined)]);
  const ahead = await readAhead();
  const entries = ahead?.entries ?? (await readEntries());
  const suspicions = await readNotes(entries, options, downloaded);
  const zipBytes = ahead?.zipBytes ?? (await file).bytes;
  const selected = requireUsable(options.name, select(entries));
  const selection = { ...selected, warnings: [...suspicions, ...selected.warnings] };
  const directory = digestOf(entries);
  const imagesOf = ({ folders }: Selection<ZipEntry>) => folders.map(({ images }) => images);
  // The images themselves are kept only where they have to be the same objects.
  const keep = keepImages ? imagesOf(selection) : undefined;
  const again = (now: readonly ZipEntry[]) => keep ?? imagesOf(select(now));
  /** All entries once the zip is here. */
  const check = async () => {
    const now = await readEntries();
    if (digestOf(now) !== directory) throw hasChanged(options.name);
    return now;
  };
  let checked: Promise<DownloadedZip> | undefined;
  // What was read of a download that then started from the beginning agrees with what came in the end by CRC-32 and size:
  // whoever gives a SHA-256 asks for more.
  const isEarly = !isPinned && ahead !== undefined && zipBytes >= LARGE_BYTES;
  /** The images of all folders, until the last one is open. */
  let opened: { readonly isEarly: boolean; readonly images: readonly (readonly ZipEntry[])[] } | undefined;

  /** The images while the zip comes. @returns `undefined` when it has come, or can't be read before */
  async function openEarly() {
    if (!isEarly || here !== undefined) return undefined;
    if (opened?.isEarly) return opened;
    const early = await readAhead();
    return early && digestOf(early.entries) === directory ? { isEarly: true, images: again(early.entries) } : undefined;
  }

  async function openWhole() {
    if (opened && !opened.isEarly) return opened;
    return { isEarly: false, images: again(await check()) };
  }

  return {
    selection,
    zipBytes,
    downloaded,
    async open(folder, { whole }) {
      begin();
      opened = (whole ? undefined : await openEarly()) ?? (await openWhole());
      const early = opened.isEarly;
      const images = opened.images[folder] ?? [];
      if (folder === opened.images.length - 1) opened = undefined;
      if (!early) {
        const { path } = await downloaded();
        return { images, path: () => path, reach: async () => undefined, whole: downloaded };
      }
      return { images, path: () => here ?? part, reach, whole: () => (checked ??= check().then(downloaded)) };
    },
  };
}

/** @throws DiatomError `ZIP` for an image that was selected and can't be used; what else lies in the zip is nobody's matter */
export function requireUsable(zipName: string, selection: Selection<ZipEntry>): Selection<ZipEntry> {
  for (const { images } of selection.folders) {
    const refused = images.find(({ fault }) => fault !== undefined);
    if (refused?.fault !== undefined) throw zipFault(zipName, refused.path, refused.fault);
  }
  return selection;
}

/**
 * Looks into the files in which servers and people say what was left out: for them, the zip is waited for.
 *
 * @returns sentences about those that are not known
 * @throws DiatomError `ZIP` that quotes one that is, when the zip lacks something
 */
async function readNotes(
  entries: readonly ZipEntry[],
  { name }: Parameters<typeof openZip>[1],
  downloaded: () => Promise<DownloadedZip>,
): Promise<string[]> {
  const notes = entries.filter(
    ({ path, bytes, fault }) => isIncompleteNote(path) && bytes <= MAX_NOTE_BYTES && fault === undefined,
  );
  const found: string[] = [];
  if (notes.length === 0) return found;
  const zip = await openZip((await downloaded()).path, { name, accept: () => false });
  try {
    for (const note of notes) {
      const text = (await zip.read(note)).toString('utf8');
      requireComplete(name, note.path, text);
      const sentence = suspicion(name, note.path, text);
      if (sentence !== undefined) found.push(sentence);
    }
  } finally {
    await zip.close();
  }
  return found;
}

/** @returns `undefined` for a zip that can't be read on its server */
async function readRemote(remote: DownloadingZip['remote'], open: Parameters<typeof openZip>[1]) {
  const content = await remote;
  const entries = content && (await readZipEntries(content, open).catch(() => undefined));
  return entries && { entries, zipBytes: content.length };
}

/** So many characters are digested at a time. */
const DIGESTED_LENGTH = 2 ** 16;

/** The same for two directories that describe the same files at the same places. */
function digestOf(entries: readonly ZipEntry[]): string {
  const hash = createHash('sha256');
  let text = '';
  for (const { path, crc32, bytes, headerOffset } of entries) {
    // In paths, control characters were replaced.
    text += `${path}\n${crc32} ${bytes} ${headerOffset}\n`;
    if (text.length < DIGESTED_LENGTH) continue;
    hash.update(text);
    text = '';
  }
  return hash.update(text).digest('hex');
}

function hasChanged(zipName: string): DiatomError {
  return new DiatomError(
    'DOWNLOAD',
    `${zipName} was changed on its server while it was downloaded: run again, when nobody works on it any more.`,
  );
}
