import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { ROOT, readActionMetadata } from '../scripts/action-metadata.ts';
import { generatedFiles } from '../scripts/docs.ts';

const readme = read('README.md');

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replaceAll('\r\n', '\n');
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

test.each(generatedFiles())('$path says what its source says (else: npm run docs)', ({ path, text }) => {
  expect(read(path)).toBe(text);
});

describe('the two action.yml', () => {
  test('agree in all but the path of the bundle, which is the same file', () => {
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
