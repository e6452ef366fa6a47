import { messageOf } from '../errors.ts';
import { info, warn } from './log.ts';

/**
 * Uploads files as a workflow artifact. Where there is no artifact service (a terminal, GitHub Enterprise Server, a
 * network that blocks it) that is a warning: the files are in the workspace all the same.
 *
 * @param files absolute paths below `root`
 * @returns whether the artifact is there
 */
export async function uploadArtifact(name: string, files: string[], root: string): Promise<boolean> {
  try {
    // The client brings the Azure SDK along, most of the code of this action: it is loaded only when it is needed.
    const { DefaultArtifactClient } = await import('@actions/artifact');
    const { size } = await new DefaultArtifactClient().uploadArtifact(name, files, root);
    info(`Artifact “${name}”: ${files.length} files, ${size ?? 0} bytes.`);
    return true;
  } catch (error) {
    warn(
      `Artifact “${name}” was not uploaded: ${messageOf(error).replace(/\.?$/, '.')} The files are still in ${root}.`,
    );
    return false;
  }
}
