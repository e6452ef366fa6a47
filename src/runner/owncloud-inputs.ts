import { DiatomError } from '../errors.ts';
import type { OwncloudSettings } from '../owncloud/connect.ts';
import { textInput } from './inputs.ts';

/**
 * The inputs `owncloud-url`, `owncloud-username` and `owncloud-password`; the last should be masked before.
 *
 * @param need completes “Input owncloud-url is missing: …”, with what it is needed for and what to do
 */
export function owncloudInputs(need: string): OwncloudSettings {
  const url = textInput('owncloud-url');
  if (url === '') throw new DiatomError('INPUT', `Input owncloud-url is missing: ${need}.`);
  return { url, username: textInput('owncloud-username'), password: textInput('owncloud-password') };
}
