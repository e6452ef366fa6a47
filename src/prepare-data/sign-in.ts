import { DiatomError } from '../errors.ts';
import { requireUsableFolder } from '../owncloud/ensure-folder.ts';
import { markOf, removeLeftovers } from '../owncloud/leftovers.ts';
import type { Remote } from '../owncloud/remote.ts';
import { info, warn } from '../runner/log.ts';
import type { Inputs, UploadInputs } from './inputs.ts';
import type { RunContext } from './run-context.ts';

/** @throws DiatomError `INPUT`, `OWNCLOUD`, `NETWORK`, `CANCELLED` */
export async function signIn(
  { lowDisk, upload }: Pick<Inputs, 'lowDisk' | 'upload'>,
  server: UploadInputs,
  { http, signal, env, now }: Pick<RunContext, 'http' | 'signal' | 'env' | 'now'>,
): Promise<Remote> {
  // Loaded when it is needed: the library for WebDAV is a good part of the time that the action takes to start.
  const { connect } = await import('../owncloud/connect.ts');
  const remote = await connect(server, {
    http,
    signal,
    onWarning: warn,
    mark: markOf(env['GITHUB_REPOSITORY'], env['GITHUB_RUN_ID']),
  });
  requireUsableFolder(remote, server.folder);
  if (lowDisk && upload && !(await remote.ways()).chunking) {
    throw new DiatomError(
      'INPUT',
      `Input low-disk is true, but ${remote.description} takes no file that still grows, so the whole archive has to be here first. Set keep-data: false instead.`,
    );
  }
  info(`Signed in: ${remote.description}.`);
  if (upload) {
    const place = { folders: [upload.folder], repository: env['GITHUB_REPOSITORY'], now };
    const removed = await removeLeftovers(remote, place, { signal, onWarning: info });
    if (removed.length > 0) info(`Deleted there, left by runs that were cut short: ${removed.join(', ')}`);
  }
  return remote;
}
