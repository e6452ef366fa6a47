import { parseArgs } from 'node:util';
import { nearest } from '../../src/text/nearest.ts';
import type { ActionMetadata } from '../action-metadata.ts';
import { wrap } from './wrap.ts';

/** A command line that can't be understood; the message says what to write instead. */
export class UsageError extends Error {}

export interface StartOptions {
  readonly help: boolean;
  /** Whether files for a new repository are to be made. */
  readonly isNew: boolean;
  /** Path of a file list that is only to be made ready for a secret. */
  readonly pack: string | undefined;
  /** Inputs of the action by name. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** Inputs that the command line gives another form. */
const PASSWORD = 'owncloud-password';
const FILE_LIST = 'file-list';
const FILE_LIST_PATH = 'file-list-path';
const SETTINGS = 'settings';

/** Of this command only. */
const PACK = 'pack';
const NEW = 'new';

/**
 * Reads a command line whose options are the inputs of an action. Inputs that are `true` or `false` by default are
 * switches: `--dry-run`, `--dry-run=false` and `--no-dry-run` all work. `--file-list` takes a path, not the list.
 *
 * @throws UsageError
 */
export function parseOptions(args: readonly string[], inputs: ActionMetadata['inputs']): StartOptions {
  const switches = Object.keys(inputs).filter((name) => isSwitch(inputs[name]));
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: Object.fromEntries([
      ...Object.keys(inputs).map((name) => [name, { type: switches.includes(name) ? 'boolean' : 'string' }] as const),
      ['help', { type: 'boolean', short: 'h' }] as const,
      [NEW, { type: 'boolean' }] as const,
      [PACK, { type: 'string' }] as const,
    ]),
  });
  const given: Record<string, string> = {};
  let [help, isNew] = [false, false];
  let pack: string | undefined;
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      const before = tokens[index - 1];
      const isValue = before?.kind === 'option' && switches.includes(before.name) && before.value === undefined;
      if (!isValue || !/^(true|false)$/.test(token.value)) {
        throw new UsageError(`“${token.value}” is not an option: options begin with --, see --help.`);
      }
      given[before.name] = token.value;
    } else if (token.name === 'help') help = true;
    else if (token.name === NEW) isNew = true;
    else if (token.name === PACK) pack = token.value || needsValue(token.rawName);
    else addOption(given, token, inputs, switches);
  }
  return { help, isNew, pack, inputs: given };
}

function addOption(
  given: Record<string, string>,
  { name, rawName, value }: { name: string; rawName: string; value?: string | undefined },
  inputs: ActionMetadata['inputs'],
  switches: readonly string[],
): void {
  if (name === PASSWORD) {
    throw new UsageError(
      `${rawName} is not taken: other users of this machine could read it from the list of processes. Set the environment variable OWNCLOUD_PASSWORD instead, or leave it out and type it when asked.`,
    );
  }
  const negated = switches.find((candidate) => name === `no-${candidate}`);
  if (negated !== undefined) given[negated] = 'false';
  else if (!rawName.startsWith('--') || !Object.hasOwn(inputs, name)) {
    throw new UsageError(
      `There is no option ${rawName}. Did you mean --${nearest(name, optionNames(inputs))}? See --help.`,
    );
  } else if (value === undefined && !switches.includes(name)) {
    needsValue(rawName);
  } else given[name === FILE_LIST ? FILE_LIST_PATH : name] = value ?? 'true';
}

function needsValue(rawName: string): never {
  throw new UsageError(`${rawName} needs a value: ${rawName} VALUE, see --help.`);
}

function isSwitch(input: ActionMetadata['inputs'][string] | undefined): boolean {
  return input?.default === 'true' || input?.default === 'false';
}

function optionNames(inputs: ActionMetadata['inputs']): string[] {
  return [...Object.keys(inputs).filter((name) => name !== PASSWORD), 'help', NEW, PACK];
}

/** All options with what `action.yml` says about them, for a terminal of at least `width` columns. */
export function helpText({ description, inputs }: ActionMetadata, width = 90): string {
  const lines = [
    ...wrap(description, width),
    '',
    'npm start                                   a try with generated images, nothing to set up',
    'npm start -- --file-list my-list.csv        your own images, see README.md',
    'npm start -- --new                          asks, and writes settings, list and workflow',
    'npm start -- --settings diatoms.yml         what a settings file says',
    'npm start -- --settings diatoms.yml --check only checks it: list, links, ownCloud',
    'npm start -- --pack my-list.csv             the list as one line for a secret',
    '',
    ...wrap(
      'Without --file-list the images are generated ones. Without --owncloud-url they go to a server inside this command, and your own images stay on this machine. Files appear in the folder you are in, those of a try in demo/. The password of the ownCloud is asked for, or taken from the environment variable OWNCLOUD_PASSWORD.',
      width,
    ),
    '',
    'Options:',
    '',
    '  -h, --help',
    '      This text.',
    '',
    '  --new',
    '      Asks a handful of questions, and writes settings, list and workflow.',
    '',
    '  --pack FILE',
    '      Checks a file list and prints the one line of it for the secret FILE_LIST.',
  ];
  for (const [name, input] of Object.entries(inputs)) {
    if ([PASSWORD, FILE_LIST_PATH, 'settings-keys'].includes(name)) continue;
    const value = name === FILE_LIST || name === SETTINGS ? 'FILE' : 'VALUE';
    const text =
      name === FILE_LIST
        ? 'Path of the file list: a JSON file with one object a zip, or a CSV file with one line a zip (`file_url`, `downloaded_file_name`, `exploded_folder_name`, `species_label`, and optionally `password`, `sha256`, `n_test` and `um_per_pixel`).'
        : name === SETTINGS
          ? 'Path of a settings file, as the workflows read it. `secret NAME` in it is the environment variable NAME. Other options win over it.'
          : input.description;
    const fallback = input.default ? ` Default: ${input.default}.` : '';
    const form = isSwitch(input) ? `--[no-]${name}` : `--${name} ${value}`;
    lines.push('', `  ${form}`, ...wrap(`${text}${fallback}`, width - 6).map((line) => `      ${line}`));
  }
  return `${lines.join('\n')}\n`;
}
