import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileListJsonSchema } from '../src/dataset/file-list.ts';
import type { ActionName } from '../src/schema/sections.ts';
import { documentedMetadata, ROOT } from './action-metadata.ts';
import { settingsJsonSchema } from './settings-schema.ts';

/** A file whose text follows from another one. */
export interface GeneratedFile {
  /** From the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Everything that is generated, as it should be. */
export function generatedFiles(): GeneratedFile[] {
  return [
    withTables('README.md', { inputs: inputsTable('prepare-data'), outputs: outputsTable('prepare-data') }),
    ...(['gpu-server', 'train-model', 'publish-model'] as const).map((action) =>
      withTables(`docs/${action}.md`, { inputs: inputsTable(action), outputs: outputsTable(action) }),
    ),
    { path: 'prepare-data/action.yml', text: read('action.yml').replace('main: dist/', 'main: ../dist/') },
    { path: 'docs/file-list.schema.json', text: `${JSON.stringify(fileListJsonSchema(), undefined, 2)}\n` },
    { path: 'docs/diatoms.schema.json', text: `${JSON.stringify(settingsJsonSchema(), undefined, 2)}\n` },
  ];
}

/** The paths of the generated files that are not as they should be. */
export function staleFiles(): string[] {
  return generatedFiles().flatMap(({ path, text }) => (read(path) === text ? [] : [path]));
}

function read(path: string): string {
  const file = join(ROOT, path);
  // A checkout on Windows may have other line ends; they make no difference here.
  return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\r\n', '\n') : '';
}

/** A page with each of its sections, which stand between comments, as it should be. */
function withTables(path: string, sections: Readonly<Record<string, string>>): GeneratedFile {
  const text = Object.entries(sections).reduce((page, [name, content]) => {
    const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
    const [from, to] = [page.indexOf(start), page.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${path} has no section between ${start} and ${end}`);
    return `${page.slice(0, from + start.length)}\n\n${content}\n${page.slice(to)}`;
  }, read(path));
  return { path, text };
}

function inputsTable(action: ActionName): string {
  const rows = Object.entries(documentedMetadata(action).inputs).map(([name, { description, default: text = '' }]) => {
    const value = cell(text);
    return `| \`${name}\` | ${cell(description)} | ${value && `\`${value}\``} |\n`;
  });
  return `| Input | Meaning | Default |\n| --- | --- | --- |\n${rows.join('')}`;
}

function outputsTable(action: ActionName): string {
  const rows = Object.entries(documentedMetadata(action).outputs).map(
    ([name, { description }]) => `| \`${name}\` | ${cell(description)} |\n`,
  );
  return `| Output | Meaning |\n| --- | --- |\n${rows.join('')}`;
}

function cell(text: string): string {
  return text.trim().replace(/\s+/g, ' ').replaceAll('|', '\\|');
}

function main(): void {
  const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
  const stale = staleFiles();
  if (values.check) {
    for (const path of stale) process.stderr.write(`${path} is out of date: run “npm run docs”\n`);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  for (const { path, text } of generatedFiles()) {
    if (stale.includes(path)) writeFileSync(join(ROOT, path), text);
  }
  process.stdout.write(stale.length > 0 ? `Wrote ${stale.join(', ')}\n` : 'Everything is up to date\n');
}

if (import.meta.main) main();
