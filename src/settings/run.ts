import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getInput } from '@actions/core';
import { DiatomError, failureMessage } from '../errors.ts';
import { fail, info } from '../runner/log.ts';
import { setOutputs } from '../runner/outputs.ts';
import { PARTS } from '../schema/sections.ts';
import { linesInstead } from './old-variables.ts';
import { fileText, readSettings } from './read-settings.ts';

const DEFAULT_PATH = '.github/diatoms.yml';

/** Where the file gets by mistake. */
const ELSEWHERE = ['diatoms.yml', '.github/diatoms.yaml', '.github/workflows/diatoms.yml', 'diatoms.yaml'];

/** Reads the settings and hands each stage its part. Whatever is thrown ends the step red. */
export function run(): void {
  try {
    const { text, where } = settingsText(process.env);
    const commit = /^[0-9a-f]{40,64}$/.exec(process.env['GITHUB_SHA'] ?? '')?.[0];
    const workspace = process.env['GITHUB_WORKSPACE'] || '.';
    const { parts, runners } = readSettings(text, {
      where,
      commit,
      inWorkflow: true,
      isPublic: getInput('public') === 'true',
      readList: (path) => readIfThere(resolve(workspace, path)),
    });
    for (const name of PARTS) {
      const part = parts[name];
      setOutputs({ [name]: JSON.stringify(part), [`${name}-keys`]: Object.keys(part).length });
      info(`${name}: ${Object.keys(part).join(', ') || '–'}`);
    }
    setOutputs({ runners: JSON.stringify(runners), commit: commit ?? '' });
  } catch (error) {
    fail(failureMessage(error));
  }
}

/** The settings themselves, or those in the file that the input names. */
function settingsText(env: NodeJS.ProcessEnv): { text: string; where: string } {
  const given = getInput('settings');
  if (/\n|\{|: /.test(given)) return { text: given, where: 'input settings' };
  const path = given || DEFAULT_PATH;
  const found = readIfThere(resolve(env['GITHUB_WORKSPACE'] || '.', path));
  if (found !== undefined) return { text: fileText(found, path), where: path };
  const other = ELSEWHERE.find((place) => readIfThere(resolve(env['GITHUB_WORKSPACE'] || '.', place)) !== undefined);
  const advice =
    other === undefined
      ? 'Copy templates/diatoms.yml of Diatom Actions there and fill it in, or give its path as the input settings.'
      : `There is ${other}: move it, or give its path as the input settings.`;
  throw new DiatomError(
    'INPUT',
    `There is no settings file ${path} in this repository. ${advice}${linesInstead(getInput('variables'), path)}`,
  );
}

function readIfThere(path: string): Uint8Array | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}
