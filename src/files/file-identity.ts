/**
 * Tells a file from all others of this machine for as long as somebody has it open, whatever it is called meanwhile.
 *
 * @param stats as `stat` gives them with `bigint: true`: numbers of inodes may be larger than a number holds exactly
 */
export function fileIdentity({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}
