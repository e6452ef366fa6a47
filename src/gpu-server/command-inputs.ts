import { DiatomError } from '../errors.ts';
import { textInput } from '../runner/inputs.ts';
import type { CommandSettings } from './command-driver.ts';

/**
 * Reads and checks the inputs of `driver: command`.
 *
 * @param isRemote whether the commands run on another machine, by ssh
 * @throws DiatomError `INPUT`
 */
export function commandInputs(isRemote: boolean): CommandSettings {
  return {
    startCommand: commandInput('start-command', 'what starts the server'),
    stopCommand: commandInput('stop-command', 'what stops it'),
    statusCommand: commandInput(
      'status-command',
      'what prints “running” or “stopped”. Without it nobody could say whether the server is gone',
    ),
    limit: textInput('server-limit'),
    isRemote,
  };
}

function commandInput(name: string, what: string): string {
  const command = textInput(name).replaceAll('\r\n', '\n');
  if (command !== '') return command;
  throw new DiatomError('INPUT', `Input ${name} is missing, and driver is command: give ${what}.`);
}
