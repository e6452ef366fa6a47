import { messageOf, throwIfCancelled } from '../errors.ts';
import { BECAME_WRONG_FILE } from '../model/compared-images.ts';
import { fetchUnpublished, readUnpublished, removeUnpublished } from '../model/unpublished.ts';
import { connect } from '../owncloud/connect.ts';
import type { Remote } from '../owncloud/remote.ts';
import { type ExpectedFile, verifyFolder } from '../owncloud/verify-folder.ts';
import { group, info } from '../runner/log.ts';
import type { Context } from './context.ts';
import type { Inputs } from './inputs.ts';
import type { LockedFolder } from './locked-folder.ts';

/** The account that has stored it, which may be another one than that which publishes. */
export async function signInToUnpublished(
  { owncloud, training }: Inputs,
  { http, signal, policy, onWarning }: Context,
): Promise<Remote> {
  return connect(training ?? owncloud, { http, signal, policy, onWarning });
}

/** Brings a result that no workflow artifact holds to an empty folder of this machine. */
export async function bringUnpublished(
  folder: string,
  target: string,
  inputs: Inputs,
  context: Context,
): Promise<void> {
  const { signal, policy, onWarning } = context;
  await group('Result in ownCloud', async () => {
    const remote = await signInToUnpublished(inputs, context);
    await fetchUnpublished(remote, folder, target, { signal, policy, onWarning });
    info(`The result comes from the folder “${folder}” at ${remote.rootUrl.host}.`);
  });
}

/** What a result has become. */
interface Published {
  readonly version: string;
  readonly files: readonly ExpectedFile[];
  /** Whether nothing spoke against its promotion. */
  readonly passed: boolean;
}

/**
 * Deletes a result that is a version now: after the version was read back, and only when it has every file of the result
 * with the same content. The pictures of what became wrong are for whoever looks into a refusal, and part of no version.
 * Whatever goes wrong here is a warning: the model is where it should be.
 */
export async function discardUnpublished(
  folder: string,
  { version, files, passed }: Published,
  place: LockedFolder,
  signInAgain: () => Promise<Remote>,
): Promise<void> {
  const { options } = place;
  try {
    const remote = await signInAgain();
    const sums = await readUnpublished(remote, folder, options);
    if (!sums) return info(`The folder “${folder}” is not there any more, or not complete: it stays as it is.`);
    await verifyFolder(place.remote, `${place.folder}/${version}`, files, options);
    const missing = sums.filter(
      ({ name, sha256 }) =>
        !(name.includes('/') || (passed && name === BECAME_WRONG_FILE)) &&
        !files.some((file) => file.name === name && file.sha256 === sha256),
    );
    if (missing.length > 0) {
      const names = missing.map(({ name }) => name).join(', ');
      return options.onWarning?.(
        `The folder “${folder}” stays: the version ${version} does not have all that is in it (${names}).`,
      );
    }
    await removeUnpublished(remote, folder, options);
    info(`The folder “${folder}” is deleted: the version ${version} has what was in it.`);
  } catch (error) {
    throwIfCancelled(options.signal);
    options.onWarning?.(`The folder “${folder}” is not needed any more and could not be deleted: ${messageOf(error)}`);
  }
}
