import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileListJsonSchema } from '../src/dataset/file-list.ts';
import type { ActionName } from '../src/schema/sections.ts';
import { type ActionMetadata, documentedMetadata, type ReadText, ROOT, readCheckout } from './action-metadata.ts';
import { settingsJsonSchema } from './settings-schema.ts';

const ACTIONS_IN_DOCS = ['gpu-server', 'train-model', 'publish-model'] as const;

/** A file whose text follows from another one. */
export interface GeneratedFile {
  /** From the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Everything that is generated, as it should be by what `read` gives. */
export function generatedFiles(read: ReadText = readCheckout): GeneratedFile[] {
  const pages = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  return [
    page('README.md', read, 'prepare-data'),
    ...pages.flatMap((name) => {
      const action = ACTIONS_IN_DOCS.find((other) => name === `${other}.md`);
      if (action === undefined && !hasContents(read(`docs/${name}`))) return [];
      return page(`docs/${name}`, read, action);
    }),
    {
      path: 'prepare-data/action.yml',
      text: `# Made from ../action.yml by “npm run docs”: change that one.\n${read('action.yml').replace('main: dist/', 'main: ../dist/')}`,
    },
    { path: 'docs/file-list.schema.json', text: `${JSON.stringify(fileListJsonSchema(), undefined, 2)}\n` },
    { path: 'docs/diatoms.schema.json', text: `${JSON.stringify(settingsJsonSchema(read), undefined, 2)}\n` },
  ];
}

/** What is wrong with a generated file in the checkout, and what to do; `undefined` when it is as it should be. */
export function whatDiffers({ path, text }: GeneratedFile, read: ReadText = readCheckout): string | undefined {
  const before = read(path);
  if (before === text) return undefined;
  let at = 0;
  while (before[at] === text[at]) at += 1;
  const line = text.slice(0, at).split('\n').length;
  // A row of a table may have a thousand characters before the first that differs.
  const start = Math.max(text.lastIndexOf('\n', at - 1) + 1, at - 40);
  const [found, expected] = [before, text].map((whole) => `“${whole.slice(start, at + 80).replaceAll('\n', '⏎')}”`);
  return `${path} differs from its sources in line ${line}: found ${found}, expected ${expected}. Run “npm run docs” and commit what it writes.`;
}

/** A page with each of its tables, and its contents where it has a place for them, all between comments, as they should be. */
function page(path: string, read: ReadText, action: ActionName | undefined): GeneratedFile {
  const found = read(path);
  const sections: Readonly<Record<string, string>> = {
    ...(action === undefined ? {} : tablesOf(documentedMetadata(action, read))),
    ...(hasContents(found) ? { contents: contentsOf(found) } : {}),
  };
  const text = Object.entries(sections).reduce((before, [name, content]) => {
    const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
    const [from, to] = [before.indexOf(start), before.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${path} has no section between ${start} and ${end}`);
    return `${before.slice(0, from + start.length)}\n\n${content}\n${before.slice(to)}`;
  }, found);
  return { path, text };
}

function hasContents(markdown: string): boolean {
  return markdown.includes('<!-- contents:start -->');
}

/** The headings of a page below its title, each with the anchor that GitHub gives it. */
export function headingsOf(
  markdown: string,
): { readonly level: number; readonly text: string; readonly anchor: string }[] {
  const prose = markdown.replaceAll(/^```.*?^```/gms, '');
  return [...prose.matchAll(/^##(#*) (.+)$/gm)].map(([, deeper = '', text = '']) => {
    const anchor = text.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '');
    return { level: deeper.length, text, anchor: anchor.replaceAll(' ', '-') };
  });
}

function contentsOf(markdown: string): string {
  const shown = headingsOf(markdown).filter(({ level }) => level <= 1);
  return shown.map(({ level, text, anchor }) => `${'  '.repeat(level)}- [${text}](#${anchor})\n`).join('');
}

function tablesOf({ inputs, outputs }: ActionMetadata): Record<string, string> {
  return { inputs: inputsTable(inputs), outputs: outputsTable(outputs) };
}

function inputsTable(inputs: ActionMetadata['inputs']): string {
  const rows = Object.entries(inputs).map(([name, { description, default: text = '' }]) => {
    const value = cell(text);
    return `| \`${name}\` | ${cell(description)} | ${value && `\`${value}\``} |\n`;
  });
  return `| Input | Meaning | Default |\n| --- | --- | --- |\n${rows.join('')}`;
}

function outputsTable(outputs: ActionMetadata['outputs']): string {
  const rows = Object.entries(outputs).map(([name, { description }]) => `| \`${name}\` | ${cell(description)} |\n`);
  return `| Output | Meaning |\n| --- | --- |\n${rows.join('')}`;
}

function cell(text: string): string {
  return text.trim().replace(/\s+/g, ' ').replaceAll('|', '\\|');
}

function main(): void {
  const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
  const stale = generatedFiles().filter((file) => whatDiffers(file) !== undefined);
  if (values.check) {
    for (const file of stale) process.stderr.write(`${whatDiffers(file)}\n`);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  for (const { path, text } of stale) writeFileSync(join(ROOT, path), text);
  const paths = stale.map(({ path }) => path).join(', ');
  process.stdout.write(paths === '' ? 'Everything is up to date\n' : `Wrote ${paths}\n`);
}

if (import.meta.main) main();
