import { readZipEntries } from '../archive/open-zip.ts';
import type { FileListEntry } from '../dataset/file-list-entry.ts';
import { selectImages } from '../dataset/select-images.ts';
import { openForRangeReads } from '../download/range-reads.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Inputs } from './inputs.ts';
import type { RunContext } from './run-context.ts';
import { requireUsable } from './selected-zip.ts';

/** A label that a zip has images of. */
export interface FoundLabel {
  readonly label: string;
  readonly images: number;
}

/**
 * The labels of a zip, by its directory on the server.
 *
 * @returns `undefined` where the server does not show it, or it can't be read: the download then says why
 * @throws DiatomError `FILE_LIST` when the zip lacks a folder that the list asks for, or a folder can't be a label; `ZIP` for
 *   an image that can't be used
 */
export async function labelsOfZip(
  { downloadedFileName: zipName, fileUrl }: FileListEntry,
  { fileList, imageExtensions }: Pick<Inputs, 'fileList' | 'imageExtensions'>,
  { http, signal }: Pick<RunContext, 'http' | 'signal'>,
): Promise<FoundLabel[] | undefined> {
  const extensions = new Set(imageExtensions);
  const files = await openForRangeReads(fileUrl, { http, signal })
    .then((content) => content && readZipEntries(content, { name: zipName, accept: () => false }))
    .catch(() => {
      throwIfCancelled(signal);
      return undefined;
    });
  if (!files) return undefined;
  const entries = fileList.filter(({ downloadedFileName }) => downloadedFileName === zipName);
  const { folders } = requireUsable(zipName, selectImages(files, entries, { zipName, extensions }));
  return folders.map(({ label, images }) => ({ label, images: images.length }));
}
