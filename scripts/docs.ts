import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileListJsonSchema } from '../src/dataset/file-list.ts';
import { type ActionMetadata, ROOT, readActionMetadata } from './action-metadata.ts';

/** A file whose text follows from another one. */
export interface GeneratedFile {
  /** From the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Everything that is generated, as it should be. */
export function generatedFiles(): GeneratedFile[] {
  const metadata = readActionMetadata('');
  const readme = withSection(
    withSection(read('README.md'), 'inputs', inputsTable(metadata)),
    'outputs',
    outputsTable(metadata),
  );
  return [
    { path: 'README.md', text: readme },
    { path: 'prepare-data/action.yml', text: read('action.yml').replace('main: dist/', 'main: ../dist/') },
    { path: 'docs/file-list.schema.json', text: `${JSON.stringify(fileListJsonSchema(), undefined, 2)}\n` },
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

/** Puts `content` between the comments that mark the section `name`. */
function withSection(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no section between ${start} and ${end}`);
  return `${text.slice(0, from + start.length)}\n\n${content}\n${text.slice(to)}`;
}

function inputsTable({ inputs }: ActionMetadata): string {
  const rows = Object.entries(inputs).map(
    ([name, input]) =>
      `| \`${name}\` | ${cell(input.description)} | ${input.default ? `\`${cell(input.default)}\`` : ''} |\n`,
  );
  return `| Input | Meaning | Default |\n| --- | --- | --- |\n${rows.join('')}`;
}

function outputsTable({ outputs }: ActionMetadata): string {
  const rows = Object.entries(outputs).map(([name, output]) => `| \`${name}\` | ${cell(output.description)} |\n`);
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
