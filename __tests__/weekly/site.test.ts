import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';
import { run } from '../helpers/commands.ts';

const SOURCE = join(ROOT, 'docs', 'site');
const SITE = join(ROOT, 'build', 'site');

test('the documentation becomes a site: all pages with their pictures, what is searched, and no link to nowhere', async () => {
  await run('npm', ['ci'], { cwd: SOURCE });
  const said = await run('npm', ['run', 'build'], { cwd: SOURCE });
  expect(said).not.toContain('TypeError');
  const tracked = (await run('git', ['ls-files', '*.md'], { cwd: ROOT })).trim().split('\n');
  const pages = tracked.filter((name) => !name.startsWith('__tests__/'));
  const files = (await readdir(SITE, { recursive: true })).map(String);
  const expected = pages.map((name) => (name === 'README.md' ? 'index.html' : name.replace(/md$/, 'html')));
  expect(files).toEqual(expect.arrayContaining(expected));
  const settings = await readFile(join(SITE, 'docs', 'settings.html'), 'utf8');
  expect(settings).toContain('{{ secrets.MY_PASSWORD }}');
  expect(settings).toContain('href="https://github.com/diatom-actions/diatom-actions/blob/main/templates/diatoms.yml"');
  const start = await readFile(join(SITE, 'docs', 'from-zero.html'), 'utf8');
  const [, picture = ''] = /<img src="\/([^"]*report[^"]*\.png)"/.exec(start) ?? [];
  expect(files).toContain(picture);
  expect(files.filter((name) => name.includes('localSearchIndex'))).toHaveLength(1);
});
