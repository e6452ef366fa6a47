import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { ROOT, readCheckout as read, readActionMetadata } from '../scripts/action-metadata.ts';
import { generatedFiles, headingsOf, whatDiffers } from '../scripts/docs.ts';

const readme = read('README.md');

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

describe('what npm run docs writes', () => {
  test.each(generatedFiles())('is what $path has', (file) => {
    expect(whatDiffers(file)).toBeUndefined();
  });

  test.each([
    ['one\ntwo\n', 'one\nno\n', 'line 2: found “two⏎”, expected “no⏎”'],
    [`${'a'.repeat(500)}b`, `${'a'.repeat(500)}c`, `line 1: found “${'a'.repeat(40)}b”, expected “${'a'.repeat(40)}c”`],
    ['one\n', 'one\ntwo\n', 'line 2: found “”, expected “two⏎”'],
    ['one\ntwo\n', 'one\n', 'line 2: found “two⏎”, expected “”'],
  ])('is named by what differs and by the command when a file has %j instead of %j', (found, text, difference) => {
    expect(whatDiffers({ path: 'a.md', text }, () => found)).toBe(
      `a.md differs from its sources in ${difference}. Run “npm run docs” and commit what it writes.`,
    );
  });

  test('is all there after one run, whatever was changed', () => {
    const files = new Map<string, string>();
    const readChanged = (path: string) => files.get(path) ?? read(path);
    const change = (path: string, from: string, to: string) => {
      expect(read(path)).toContain(from);
      files.set(path, read(path).replace(from, to));
    };
    const stale = () => generatedFiles(readChanged).filter((file) => whatDiffers(file, readChanged) !== undefined);
    change('action.yml', '  n-test:\n    description: >-\n', '  n-test:\n    description: >-\n      Changed first.\n');
    change('docs/gpu-server.md', '\n## Inputs\n', '\n## Changed second\n\n## Inputs\n');
    const written = stale();
    for (const { path, text } of written) files.set(path, text);

    expect(written.map(({ path }) => path)).toEqual([
      'README.md',
      'docs/gpu-server.md',
      'prepare-data/action.yml',
      'docs/diatoms.schema.json',
    ]);
    for (const { text } of written) expect(text).toMatch(/Changed first|#changed-second/);
    expect(stale()).toEqual([]);
  });
});

test('every page of docs with more than 200 lines has a table of contents', () => {
  const long = readdirSync(join(ROOT, 'docs')).filter(
    (name) => name.endsWith('.md') && read(`docs/${name}`).split('\n').length > 200,
  );
  expect(long.length).toBeGreaterThan(0);
  // Where a page has these two comments, npm run docs writes its contents between them.
  for (const name of long)
    expect(read(`docs/${name}`), name).toMatch(/<!-- contents:start -->\n[\s\S]*\n<!-- contents:end -->/);
});

test('every link to a heading leads to one', () => {
  const pages = [
    'README.md',
    'templates/model/README.md',
    ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ];
  const links = pages
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) =>
      [...read(path).matchAll(/\]\(([\w./-]*)#([^)]+)\)/g)].map(([, to = '', anchor]) => ({
        path,
        to: to === '' ? path : join(path, '..', to),
        anchor,
      })),
    );
  expect(links.length).toBeGreaterThan(50);
  const isDead = ({ to, anchor }: (typeof links)[number]) =>
    !headingsOf(read(to)).some((found) => found.anchor === anchor);
  expect(links.filter(isDead)).toEqual([]);
});

describe('the two action.yml', () => {
  test('declare the same but for the path of the bundle, which is the same file', () => {
    const [root, twin] = [readActionMetadata(''), readActionMetadata('prepare-data')];
    expect({ ...twin, runs: { ...twin.runs, main: root.runs.main } }).toEqual(root);
    expect(join('prepare-data', twin.runs.main)).toBe(join(root.runs.main));
  });

  test('are free of inputs that differ in case only, which a runner could not tell apart', () => {
    const names = Object.keys(readActionMetadata('').inputs);
    expect(new Set(names.map((name) => name.toUpperCase())).size).toBe(names.length);
  });
});

test('the repository is called by the name in package.json wherever it is used', () => {
  const { repository } = z.object({ repository: z.string() }).parse(JSON.parse(read('package.json')));
  const name = repository.replace(/^github:/, '');
  const uses = [readme, ...filesBelow('templates')].flatMap((text) => [
    ...text.matchAll(/uses:\s*([\w.-]*diatom[\w.-]*\/[\w.-]+)/g),
  ]);
  expect(uses.length).toBeGreaterThan(0);
  for (const [, used] of uses) expect(used).toBe(name);
});

test('the workflow in the README gives inputs that exist', () => {
  const step = z.object({ uses: z.string(), with: z.record(z.string(), z.unknown()) });
  const workflow = z.object({ jobs: z.record(z.string(), z.object({ steps: z.array(step) })) });
  const block = /```yaml\n(.*?)```/s.exec(readme)?.[1] ?? '';
  const given = Object.values(workflow.parse(parse(block)).jobs).flatMap(({ steps }) =>
    Object.keys(steps[0]?.with ?? {}),
  );
  expect(given.length).toBeGreaterThan(0);
  expect(Object.keys(readActionMetadata('').inputs)).toEqual(expect.arrayContaining(given));
});

test('every message in the README’s troubleshooting is one that the action says', () => {
  const sources = filesBelow('src')
    .join('\n')
    .replace(/\$\{[^}]*\}/g, '…');
  const table = readme.slice(readme.indexOf('## When it goes wrong'), readme.indexOf('## Development'));
  const messages = [...table.matchAll(/^\| `([^`]+)` \|/gm)].flatMap(([, message = '']) => message.split('…'));
  expect(messages.length).toBeGreaterThan(10);
  expect(messages.filter((part) => !sources.includes(part))).toEqual([]);
});

test('every command that the README names exists', () => {
  const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read('package.json')));
  const named = [...readme.matchAll(/npm (?:(start|test)\b|run ([\w:]+))/g)].map(([, short, long]) => short ?? long);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
});

test('the private ownCloud asks for every password and has none of its own', () => {
  const compose = read('templates/owncloud/compose.yaml');
  const example = read('templates/owncloud/.env.example');
  const secrets = [...compose.matchAll(/(?:PASSWORD|REDISCLI_AUTH): (.+)|requirepass, (.+)\]/g)];
  expect(secrets.length).toBeGreaterThanOrEqual(7);
  for (const [, inMap, inList] of secrets)
    expect(inMap ?? inList).toMatch(/^(['"]?)\$\{\w+:\?write it in \.env first\}\1$/);
  for (const [, name = ''] of compose.matchAll(/\$\{(\w+)/g)) expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
  expect(compose).toContain('- 127.0.0.1:8080:8080');
});
