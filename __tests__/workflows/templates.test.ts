import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { ROOT } from '../../scripts/action-metadata.ts';
import { type Linter, loadLinter } from '../helpers/language-service.ts';
import { repositoryName, workflowFiles } from '../helpers/workflow-files.ts';

const FOLDER = 'templates/workflows';
const templates = workflowFiles(FOLDER);
const pages = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

let linter: Linter;

beforeAll(async () => {
  linter = await loadLinter();
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replaceAll('\r\n', '\n');
}

describe.each(templates)('the template $name', ({ name, text, workflow }) => {
  test('is offered with all that GitHub shows of a starter workflow', () => {
    const properties = z.strictObject({
      name: z.string().check(z.minLength(1)),
      description: z.string().check(z.minLength(20)),
      iconName: z.string().check(z.regex(/^octicon [a-z]+(-[a-z]+)*$/)),
      categories: z.array(z.string()).check(z.minLength(1)),
    });
    expect(() => properties.parse(JSON.parse(read(`${FOLDER}/${name}.properties.json`)))).not.toThrow();
  });

  test('calls this repository by the name in package.json, at its major version', () => {
    const uses = [...text.matchAll(/uses: (\S+)/g)].map(([, used = '']) => used);
    // Those of others are pinned; see rules.test.ts.
    const ours = uses.filter((used) => !/^(aws-)?actions\/[\w-]+@[0-9a-f]{40}$/.test(used));
    expect(ours.length).toBeGreaterThan(0);
    for (const used of ours) expect(used).toMatch(new RegExp(`^${repositoryName()}/[^@]+@v1$`));
  });

  test('names in its first lines the secrets that it needs', () => {
    const [head = ''] = text.split('\nname:');
    for (const [, secret = ''] of text.matchAll(/secrets\.(\w+)/g)) expect(head).toContain(secret);
  });

  test('can be started by hand', () => {
    expect(workflow.on).toHaveProperty('workflow_dispatch');
  });
});

test('the trial is there in a fork, too, where one click starts it', () => {
  expect(read('.github/workflows/try-it.yml')).toBe(read(`${FOLDER}/try-it.yml`));
});

test('every template is described in docs/workflows.md', () => {
  const page = read('docs/workflows.md');
  for (const { path } of templates) expect(page).toContain(`../${path}`);
});

test('every description of a template has its template', () => {
  const described = readdirSync(join(ROOT, FOLDER)).filter((file) => file.endsWith('.properties.json'));
  expect(described.sort()).toEqual(templates.map(({ name }) => `${name}.properties.json`).sort());
});

describe.each(pages)('%s', (path) => {
  const text = read(path);

  test('calls this repository by the name in package.json', () => {
    for (const [, used] of text.matchAll(/uses:\s*([\w.-]*diatom[\w.-]*\/[\w.-]+)/g))
      expect(used).toBe(repositoryName());
  });

  test('shows workflows that GitHub would accept', async () => {
    const examples = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, example = '']) => example);
    for (const example of examples) {
      const { on, jobs } = z
        .object({ on: z.optional(z.unknown()), jobs: z.optional(z.unknown()) })
        .parse(parse(example));
      if (jobs === undefined) continue;
      expect(await linter.lint(path, on === undefined ? `on: workflow_dispatch\n${example}` : example)).toEqual([]);
    }
  });
});

test('no page links to a file that is not there', () => {
  for (const path of pages) {
    for (const [, link = ''] of read(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
      const file = join(path, '..', link);
      expect({
        path,
        link,
        found: readdirSync(join(ROOT, file, '..')).includes(file.split(/[\\/]/).at(-1) ?? ''),
      }).toMatchObject({ found: true });
    }
  }
});
