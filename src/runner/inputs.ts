import { whyUnsafeName } from '../dataset/safe-name.ts';
import { DiatomError } from '../errors.ts';
import { decodedPath } from '../owncloud/remote-path.ts';
import type { Clash } from '../schema/clashes.ts';
import type { Kind } from '../schema/kinds.ts';
import { resolvedInput } from './settings.ts';

/** A text; `''` when it is not set. */
export function textInput(name: string): string {
  return resolvedInput(name);
}

/** `true` or `false`, nothing else: a typing error must not silently mean one of them. */
export function booleanInput(name: string): boolean {
  return oneOfInput(name, ['true', 'false']) === 'true';
}

/** One of the words that an input allows. */
export function oneOfInput<const Word extends string>(name: string, allowed: readonly Word[]): Word {
  const value = resolvedInput(name);
  const word = allowed.find((candidate) => candidate === value);
  if (word === undefined) throw invalidInput(name, value, allowed.join(' or '));
  return word;
}

/** A whole number within bounds, both included; `undefined` when it is not set. */
export function wholeNumberInput(name: string, { min, max }: { min: number; max: number }): number | undefined {
  const value = resolvedInput(name);
  if (value === '') return undefined;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw invalidInput(name, value, `a whole number from ${min} to ${max}`);
}

/** A text that its kind accepts; `''` when it is not set. */
export function checkedInput(name: string, kind: Kind): string {
  const value = resolvedInput(name);
  if (kind.accepts(value)) return value;
  throw invalidInput(name, value, kind.allowed);
}

/** A name for one file or folder, safe on every system; `fallback` when it is not set. */
export function safeNameInput(name: string, fallback: string): string {
  const value = resolvedInput(name) || fallback;
  const reason = value === '' ? undefined : whyUnsafeName(value);
  if (reason !== undefined) throw invalidInput(name, value, `a safe file name, and this one ${reason}`);
  return value;
}

/** A folder on a server, without slashes at its ends; `''` when it is not set: the top folder. */
export function folderInput(name: string): string {
  const folder = resolvedInput(name).replace(/^\/+|\/+$/g, '');
  if (/%[0-9a-f]{2}/i.test(folder) && decodedPath(folder) !== folder) {
    throw invalidInput(
      name,
      folder,
      `a folder as people see it, not as addresses have it: write “${decodedPath(folder)}”`,
    );
  }
  const unsafe = folder === '' ? undefined : folder.split('/').find((part) => whyUnsafeName(part) !== undefined);
  if (unsafe === undefined) return folder;
  throw invalidInput(name, folder, `a folder such as data/sets; “${unsafe}” ${whyUnsafeName(unsafe)}`);
}

/** Refuses inputs that contradict each other, with all contradictions in one message. */
export function refuseClashes(clashes: readonly Clash[]): void {
  if (clashes.length === 0) return;
  throw new DiatomError('INPUT', clashes.map(({ input, sentence }) => `Input ${input}: ${sentence}`).join('\n'));
}

/** The one form in which every wrong input is refused. */
export function invalidInput(name: string, value: string, allowed: string, options?: { cause: unknown }): DiatomError {
  return new DiatomError('INPUT', `Input ${name} is “${value}”, allowed is ${allowed}.`, options);
}
