import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { documentedMetadata, ROOT, readActionMetadata } from '../../scripts/action-metadata.ts';
import { settingsJsonSchema } from '../../scripts/settings-schema.ts';
import { ACTION_INPUTS, type ActionName } from '../../src/schema/sections.ts';
import { readSettings } from '../../src/settings/read-settings.ts';

const ACTIONS: readonly ActionName[] = ['prepare-data', 'train-model', 'gpu-server', 'publish-model'];

describe.each(ACTIONS)('%s', (action) => {
  test('has the inputs of the schema, in action.yml and there', () => {
    expect(Object.keys(ACTION_INPUTS[action]).sort()).toEqual(Object.keys(readActionMetadata(action).inputs).sort());
  });

  test('has no default in action.yml, which would win over the settings, and says those of the schema', () => {
    const defaults = Object.entries(readActionMetadata(action).inputs).filter(
      ([, input]) => input.default !== undefined,
    );
    expect(defaults.map(([name]) => name)).toEqual(/server|publish/.test(action) ? ['github-token'] : []);
    expect(() => documentedMetadata(action)).not.toThrow();
  });

  test('has defaults that are allowed', () => {
    for (const [name, kind] of Object.entries(ACTION_INPUTS[action])) {
      expect(kind.fallback === '' || kind.accepts(kind.fallback), name).toBe(true);
    }
  });
});

/** All settings that documentation and templates show, as text. */
function examples(): (readonly [where: string, text: string])[] {
  const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];
  const blocks = pages
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(/^```yaml\n(.*?)^```/gms)].map(
        ([, text = ''], index) => [`${path}, ${index + 1}`, text] as const,
      ),
    )
    .filter(([, text]) => /^(owncloud|data|image|train|gpu-server|publish|runners):/m.test(text));
  return [['templates/diatoms.yml', readFileSync(join(ROOT, 'templates', 'diatoms.yml'), 'utf8')], ...blocks];
}

describe('the JSON Schema for editors', () => {
  const schema = z.fromJSONSchema(settingsJsonSchema());
  const isRight = (text: string) => schema.safeParse(parse(text)).success;

  test.each(examples())('takes the example in %s, as the action does', (where, text) => {
    expect(schema.safeParse(parse(text)).error?.issues).toBeUndefined();
    const options = { where, isPublic: false, inWorkflow: true };
    // An example may show one section of several; what it shows has to be right.
    const alone =
      /^publish:/m.test(text) && !/^owncloud:/m.test(text) ? `owncloud: { url: "https://x.org" }\n${text}` : text;
    expect(() => readSettings(alone, options)).not.toThrow();
  });

  test('there are examples', () => expect(examples().length).toBeGreaterThan(3));

  test.each([
    'data: { n-tset: 20% }',
    'trian: {}',
    'data: { split: shufle }',
    'data: { keep-last: -1 }',
    'owncloud: { password: hunter2 }',
    'data: { files: [{ file_url: https://example.org/h.zip }] }',
    'runners: { gpu: x }',
    'runners: { train: "self-hosted, gpu" }',
    'runners: { train: {} }',
  ])('refuses %s, as the action does', (text) => {
    expect(isRight(text)).toBe(false);
    expect(() => readSettings(text, { where: 'x', isPublic: false, inWorkflow: true })).toThrow();
  });
});
