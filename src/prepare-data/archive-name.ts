/** The name of the archive of a run that began at `now`: `<prefix>-YYYY-MM-DD-HH-mm-ss.zip`, in UTC. */
export function archiveName(prefix: string, now: Date): string {
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
  return `${prefix}-${stamp}.zip`;
}
