import { DiatomError } from '../errors.ts';
import { checkedInput, wholeNumberInput } from '../runner/inputs.ts';
import { GPU_SERVER } from '../schema/gpu-server.ts';
import type { SshSettings } from './host.ts';

/**
 * The inputs `ssh-…`; `undefined` without `ssh-host`. `ssh-key` should be masked before.
 *
 * @throws DiatomError `INPUT`
 */
export function sshInputs(): SshSettings | undefined {
  const host = checkedInput('ssh-host', GPU_SERVER['ssh-host']);
  const jump = checkedInput('ssh-jump', GPU_SERVER['ssh-jump']);
  if (host === '' && jump !== '') {
    throw new DiatomError('INPUT', `Input ssh-jump is “${jump}”, and ssh-host is empty: name the machine behind it.`);
  }
  if (host === '') return undefined;
  const user = needed('ssh-user', 'who signs in on that machine');
  return {
    host,
    port: wholeNumberInput('ssh-port', GPU_SERVER['ssh-port']) ?? 22,
    user,
    jump: jump === '' ? undefined : jumpOf(jump, user),
    key: needed('ssh-key', 'that user’s private key, the whole file'),
    knownHosts: needed(
      'ssh-known-hosts',
      `what “ssh-keyscan ${host}” prints, compared with the key on the host itself`,
    ),
  };
}

/** `login.example.org`, `me@login.example.org:2222` */
function jumpOf(text: string, defaultUser: string): SshSettings['jump'] {
  const [, user = defaultUser, host = '', port = '22'] = /^(?:(.+)@)?([^:]+)(?::(\d+))?$/.exec(text) ?? [];
  return { host, port: Number(port), user };
}

function needed(name: 'ssh-user' | 'ssh-key' | 'ssh-known-hosts', what: string): string {
  const value = checkedInput(name, GPU_SERVER[name]);
  if (value !== '') return value;
  throw new DiatomError('INPUT', `Input ${name} is missing, and ssh-host is set: give ${what}.`);
}
