import { DiatomError, messageOf } from '../errors.ts';
import { info } from './log.ts';

/**
 * Downloads a workflow artifact of this run, the newest of its name, and unpacks it.
 *
 * @param folder where its files go
 * @throws DiatomError `INPUT` when it can't be downloaded
 */
export async function downloadArtifact(name: string, folder: string): Promise<void> {
  try {
    // The client brings the Azure SDK along, most of the code of this action: it is loaded only when it is needed.
    const { DefaultArtifactClient } = await import('@actions/artifact');
    const client = new DefaultArtifactClient();
    const { artifact } = await client.getArtifact(name);
    const { digestMismatch } = await client.downloadArtifact(artifact.id, {
      path: folder,
      ...(artifact.digest === undefined ? {} : { expectedHash: artifact.digest }),
    });
    if (digestMismatch) throw new Error('its checksum differs from the one that was noted when it was uploaded.');
    info(`Artifact “${name}”: ${artifact.size} bytes.`);
  } catch (error) {
    throw new DiatomError(
      'INPUT',
      `Input artifact-name: the artifact “${name}” can’t be downloaded: ${messageOf(error)} It has to be one of this workflow run, and not expired.`,
      { cause: error },
    );
  }
}
