const SIDES = '.sides.csv';
const RUN = '.run.json';
const END = /-\d{4}(?:-\d\d){5}\.zip$/;

/** The name of the archive of a run that began at `now`: `<prefix>-YYYY-MM-DD-HH-mm-ss.zip`, in UTC. */
export function archiveName(prefix: string, now: Date): string {
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
  return `${prefix}-${stamp}.zip`;
}

/** The file beside an archive that tells the side of every image that its line of data sets ever had. */
export function sidesNameOf(archive: string): string {
  return archive + SIDES;
}

/** The file beside an archive that tells from what it was made. */
export function runNameOf(archive: string): string {
  return archive + RUN;
}

/** The archive that a file lies beside; `undefined` for any other file. */
export function archiveOf(name: string): string | undefined {
  const ending = [SIDES, RUN].find((known) => name.endsWith(known));
  return ending && name.slice(0, -ending.length);
}

/** Whether a name ends as that of an archive with any prefix. */
export function endsAsArchive(name: string): boolean {
  return END.test(name);
}

/** Whether a whole name is a prefix and a time, as in `diatom_set-2026-11-22-17-45-00.zip`. */
export function isArchiveName(name: string, prefix: string): boolean {
  return name.startsWith(prefix) && END.exec(name)?.index === prefix.length;
}
