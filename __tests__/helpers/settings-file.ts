import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';

const TEMPLATE = join(import.meta.dirname, '..', '..', 'templates', 'diatoms.yml');

/** Where workflows look for the settings. */
export const SETTINGS_PATH = '.github/diatoms.yml';

/**
 * The template of the settings file as somebody has filled it in.
 *
 * @param values by their path, such as `owncloud.url`; `undefined` takes one out
 */
export function settingsFile(values: Readonly<Record<string, unknown>>): string {
  const document = parseDocument(readFileSync(TEMPLATE, 'utf8'));
  for (const [path, value] of Object.entries(values)) {
    if (value === undefined) document.deleteIn(path.split('.'));
    else document.setIn(path.split('.'), value);
  }
  return document.toString();
}

/** A line more below `with:` of a job that calls a workflow, as somebody writes it who reads the workflow’s inputs. */
export function withInputs(workflow: string, inputs: Readonly<Record<string, string>>): string {
  return Object.entries(inputs).reduce((text, [name, value]) => {
    const line = `      ${name}: ${value}`;
    const there = new RegExp(`^ {6}${name}: .*$`, 'm');
    return there.test(text) ? text.replace(there, line) : text.replace(/^ {4}with:$/m, `    with:\n${line}`);
  }, workflow);
}
