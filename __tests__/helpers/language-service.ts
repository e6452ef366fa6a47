import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { registerLogger, ValidationConfig, validate } from '@actions/languageservice';
import { build } from 'esbuild';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/action-metadata.ts';
import { repositoryName } from './workflow-files.ts';

/** GitHub's own linter for workflows. */
export interface Linter {
  /** @returns what is wrong, one line each */
  lint(path: string, text: string): Promise<string[]>;
}

type TextDocument = Parameters<typeof validate>[0];

interface Bundle {
  readonly validate: typeof validate;
  readonly registerLogger: typeof registerLogger;
  readonly TextDocument: { create(uri: string, language: string, version: number, text: string): TextDocument };
}

/**
 * Loads the linter. Plain Node can't import it, because it imports JSON as bundlers do.
 *
 * What a workflow takes from this repository, as `$/…` or by its name, it gets from this checkout, so that inputs and
 * secrets are checked. Actions of others can't be fetched without a network: their inputs are not checked.
 */
export async function loadLinter(): Promise<Linter> {
  const folder = await mkdtemp(join(tmpdir(), 'language-service-'));
  const outfile = join(folder, 'language-service.mjs');
  try {
    await build({
      stdin: {
        contents: `export { registerLogger, validate } from '@actions/languageservice';
          export { TextDocument } from 'vscode-languageserver-textdocument';`,
        resolveDir: ROOT,
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile,
      logLevel: 'error',
    });
    const service: Bundle = await import(pathToFileURL(outfile).href);
    return { lint: (path, text) => lint(service, path, text) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function lint(service: Bundle, path: string, text: string): Promise<string[]> {
  // The service remembers files by their address.
  const uri = `file:///${crypto.randomUUID()}/${path}`;
  const document = service.TextDocument.create(uri, 'yaml', 1, text);
  // A file that it can't get through is logged, and has no findings.
  const problems: string[] = [];
  const ignore = () => {};
  service.registerLogger({ error: (text) => problems.push(text), warn: ignore, info: ignore, log: ignore });
  const diagnostics = await service.validate(document, config);
  return [...problems, ...diagnostics.map(({ range, message }) => `${path}:${range.start.line + 1}: ${message}`)];
}

const config: ValidationConfig = {
  fileProvider: {
    async getFileContent(reference) {
      const isOurs = !('repository' in reference) || `${reference.owner}/${reference.repository}` === repositoryName();
      if (!isOurs) throw new Error(`${reference.path} is in another repository`);
      return { name: reference.path, content: await readFile(join(ROOT, reference.path), 'utf8') };
    },
  },
  actionsMetadataProvider: {
    async fetchActionMetadata({ owner, name, path = '' }) {
      if (`${owner}/${name}` !== repositoryName()) return { name, description: 'not known here' };
      return parse(await readFile(join(ROOT, path, 'action.yml'), 'utf8'));
    },
  },
};
