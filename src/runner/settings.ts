import { getInput } from '@actions/core';
import { DiatomError } from '../errors.ts';
import type { Inputs } from '../schema/kinds.ts';
import { readPart } from '../schema/part.ts';
import { mask } from './log.ts';

let settings: ReadonlyMap<string, string> = new Map();
let inputs: Inputs = {};

/**
 * Hides the secrets among an action's inputs from the log. Then takes what the input `settings` says: an input that is set
 * wins over it, and it wins over the defaults.
 *
 * @param declared the inputs of this action
 * @param besides what its part of the settings may hold in addition
 * @throws DiatomError `INPUT`
 */
export function takeSettings(declared: Inputs, besides: Inputs): void {
  for (const [name, { giver }] of Object.entries(declared)) if (typeof giver === 'object') mask(getInput(name));
  [inputs, settings] = [declared, new Map()];
  const [text, expected] = [getInput('settings'), getInput('settings-keys')];
  const part = readPart(text, { ...declared, ...besides });
  if (expected !== '' && Number(expected) !== part.size) {
    throw new DiatomError(
      'INPUT',
      `The part of your settings for this step did not arrive: of ${expected} keys, there are ${part.size}. GitHub leaves out what contains the text of a secret when it hands it from job to job. Look for a value in that section of your settings file that is also (part of) a secret, and rename it or change the secret.`,
    );
  }
  settings = part;
}

/** What an input comes to: it is set, or the settings have it, or it has a default; `''` for none. */
export function resolvedInput(name: string): string {
  return getInput(name) || (settings.get(name) ?? inputs[name]?.fallback ?? '');
}

/** What settings from a file have to do with a result. It holds no host, no account and no secret. */
export interface SettingsRecord {
  /** Of the file; `null` where nobody knows it. */
  readonly commit: string | null;
  readonly values: Readonly<Record<string, string>>;
}

/**
 * What the settings say about inputs that change a result; `undefined` without settings. What an input says itself is not
 * in it: what stands in a file of the repository is no secret, and an input may be one.
 */
export function settingsRecord(names: readonly string[]): SettingsRecord | undefined {
  if (settings.size === 0) return undefined;
  const values = names.flatMap((name) => {
    const value = settings.get(name);
    return value === undefined || getInput(name) !== '' ? [] : [[name, value] as const];
  });
  return { commit: settings.get('settings-commit') ?? null, values: Object.fromEntries(values) };
}
