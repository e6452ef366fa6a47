/** A file, and its name with the folders that it was dropped in. */
export interface Dropped {
  readonly name: string;
  readonly file: File;
}

/** All files that were dropped, also those in folders. */
export async function droppedFiles(transfer: DataTransfer): Promise<Dropped[]> {
  // All at once, before anything is awaited: afterwards the list is empty.
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry());
  const found = await Promise.all(entries.map((entry) => (entry ? filesBelow(entry, '') : [])));
  return found.flat();
}

async function filesBelow(entry: FileSystemEntry, folder: string): Promise<Dropped[]> {
  if (entry.name.startsWith('.')) return [];
  const name = `${folder}${entry.name}`;
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ name, file }];
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return [];
  const reader = entry.createReader();
  const inside: FileSystemEntry[] = [];
  // A reader gives a hundred at a time, and none when it is done.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    inside.push(...some);
  }
  inside.sort((a, b) => (a.name < b.name ? -1 : 1));
  return (await Promise.all(inside.map((each) => filesBelow(each, `${name}/`)))).flat();
}
