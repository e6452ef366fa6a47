import { DiatomError } from '../errors.ts';
import { invalidInput, textInput, wholeNumberInput } from '../runner/inputs.ts';
import type { SshSettings } from './host.ts';

/**
 * The inputs `ssh-…`; `undefined` without `ssh-host`. `ssh-key` should be masked before.
 *
 * @throws DiatomError `INPUT`
 */
export function sshInputs(): SshSettings | undefined {
  const host = textInput('ssh-host');
  if (host === '') return undefined;
  // What begins with “-” would be taken for an option.
  if (!/^[A-Za-z0-9_:.[][A-Za-z0-9_:.[\]-]*$/.test(host)) {
    throw invalidInput('ssh-host', host, 'a name or an address such as login.cluster.example.org');
  }
  const user = needed('ssh-user', 'who signs in on that machine');
  if (!/^[A-Za-z0-9_][\w.@-]*$/.test(user)) throw invalidInput('ssh-user', user, 'a user name');
  return {
    host,
    port: wholeNumberInput('ssh-port', { min: 1, max: 65_535 }) ?? 22,
    user,
    key: needed('ssh-key', 'that user’s private key, the whole file'),
    knownHosts: needed(
      'ssh-known-hosts',
      `what “ssh-keyscan ${host}” prints, compared with the key on the host itself`,
    ),
  };
}

function needed(name: string, what: string): string {
  const value = textInput(name);
  if (value !== '') return value;
  throw new DiatomError('INPUT', `Input ${name} is missing, and ssh-host is set: give ${what}.`);
}
