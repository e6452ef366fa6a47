import { DiatomError } from '../errors.ts';
import type { PublishTask } from './inputs.ts';

/**
 * Adds to the error of a server, with which a publication has ended before its model was a version, where the model is and
 * how it is published without being trained again. Of a model in a folder, whoever named the folder knows.
 */
export function stillThere(error: unknown, { source }: Pick<PublishTask, 'source'>): unknown {
  if (!(error instanceof DiatomError) || !['OWNCLOUD', 'NETWORK'].includes(error.code) || 'folder' in source)
    return error;
  const sentence =
    'artifact' in source
      ? `Nothing is lost: the model is in this run’s workflow artifact “${source.artifact}”. When the cause is fixed, “Re-run failed jobs” publishes it without training again.`
      : `Nothing is lost: the model is in the folder “${source.unpublished}” on the server. When the cause is fixed, the next run publishes it without training again.`;
  return new DiatomError(error.code, `${error.message}\n${sentence}`, { cause: error });
}
