import { existsSync, readFileSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ROOT } from '../action-metadata.ts';
import { listFor, settingsFor, workflowFor } from './new-files.ts';
import { LIST, nextSteps, SETTINGS, WORKFLOW } from './next-steps.ts';
import { UsageError } from './options.ts';
import { packList } from './pack.ts';
import { type Ask, askAll } from './questions.ts';

/**
 * Asks a handful of questions, and writes settings, list and workflow into a repository. What is there stays as it is.
 *
 * @param callersFolder the repository; in the folder of this program itself, another one is asked for
 * @returns what is to be done next, for the person
 * @throws UsageError when one of the files is there already
 */
export async function makeSettings(callersFolder: string, ask: Ask): Promise<string> {
  const folder = callersFolder === ROOT ? await askFolder(ask) : callersFolder;
  for (const path of [SETTINGS, WORKFLOW, LIST]) {
    if (existsSync(join(folder, path))) {
      throw new UsageError(
        `${join(folder, path)} is there already, and is not replaced. Move it away, or change it by hand.`,
      );
    }
  }
  const repository = repositoryOf(folder);
  const answers = await askAll(ask, repository?.split('/')[0] ?? '');
  // All of it is right before any of it is written.
  const list = listFor(answers);
  const files = {
    [LIST]: list,
    [SETTINGS]: settingsFor(answers),
    [WORKFLOW]: workflowFor(answers, await readFile(join(ROOT, 'templates', 'workflows', 'pipeline.yml'), 'utf8')),
  };
  for (const [path, text] of Object.entries(files)) await write(join(folder, path), text);
  await ignore(folder);
  return nextSteps({ folder, program: ROOT, answers, packed: packList(list, LIST), repository });
}

/** This program's own folder is no repository of the person's. */
async function askFolder(ask: Ask): Promise<string> {
  const answer = await ask(
    'Folder of your repository on this machine (just Enter: a new one, my-models, beside this): ',
  );
  // A shell would write the home folder for ~; here, none has read it.
  return resolve(ROOT, answer.replace(/^~(?=$|[\\/])/, () => homedir()) || join('..', 'my-models'));
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { flag: 'wx' });
}

async function ignore(folder: string): Promise<void> {
  const path = join(folder, '.gitignore');
  const text = existsSync(path) ? await readFile(path, 'utf8') : '';
  if (text.split(/\r?\n/).includes(`/${LIST}`)) return;
  await appendFile(path, `${text === '' || text.endsWith('\n') ? '' : '\n'}/${LIST}\n`);
}

/** `owner/name`, when the folder is a clone of a repository on GitHub. */
function repositoryOf(folder: string): string | undefined {
  const config = join(folder, '.git', 'config');
  const text = existsSync(config) ? readFileSync(config, 'utf8') : '';
  return /url\s*=\s*(?:https:\/\/(?:[^@\s/]+@)?github\.com\/|git@github\.com:)([\w.-]+\/[\w.-]+?)(?:\.git)?\s*$/m.exec(
    text,
  )?.[1];
}
