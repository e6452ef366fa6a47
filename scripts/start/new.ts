import { existsSync, readFileSync } from 'node:fs';
import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PUBLISH_MODEL } from '../../src/schema/publish-model.ts';
import { ROOT } from '../action-metadata.ts';
import { type Answers, listFor, type NeededSecret, secretsFor, settingsFor } from './new-files.ts';
import { UsageError } from './options.ts';
import { packFileList } from './pack.ts';

/** Asks a person; the answer has no spaces at its ends. */
export type Ask = (question: string) => Promise<string>;

const SETTINGS = '.github/diatoms.yml';
const WORKFLOW = '.github/workflows/diatom-model.yml';
/** Its links may open the zips to everybody who has them: it stays out of the repository. */
const LIST = 'file-list.csv';

/**
 * Asks a handful of questions, and writes settings, list and workflow into a repository. What is there stays as it is.
 *
 * @returns what is to be done next, for the person
 * @throws UsageError when one of the files is there already
 */
export async function makeSettings(folder: string, ask: Ask): Promise<string> {
  for (const path of [SETTINGS, WORKFLOW, LIST]) {
    if (existsSync(join(folder, path))) {
      throw new UsageError(
        `${join(folder, path)} is there already, and is not replaced. Move it away, or change it by hand.`,
      );
    }
  }
  const answers = await askAll(ask);
  const settings = settingsFor(answers);
  await write(join(folder, LIST), listFor(answers));
  const { line } = await packFileList(join(folder, LIST));
  await write(join(folder, SETTINGS), settings);
  await mkdir(dirname(join(folder, WORKFLOW)), { recursive: true });
  await copyFile(join(ROOT, 'templates', 'workflows', 'pipeline.yml'), join(folder, WORKFLOW));
  await ignore(folder);
  return farewell(folder, secretsFor(answers, line));
}

async function askAll(ask: Ask): Promise<Answers> {
  return {
    zips: await askZips(ask),
    owncloud: {
      url: await askUntil(
        ask,
        'Address of your ownCloud or Nextcloud (https://cloud.example.org): ',
        /^https:\/\/\S+$/,
      ),
      username: await askUntil(ask, 'Your user name there: ', /\S/),
      folder: (await ask('Folder there for data sets [data sets]: ')) || 'data sets',
    },
    modelName: await askModelName(ask),
    machine: await askMachine(ask),
  };
}

async function askZips(ask: Ask): Promise<Answers['zips']> {
  const species = await askUntil(
    ask,
    'Is each zip one species (1), or has it a folder for each species (2)? ',
    /^[12]$/,
  );
  const zips: { url: string; label: string | undefined }[] = [];
  for (;;) {
    const url = await ask(
      `Link to zip ${zips.length + 1}${zips.length === 0 ? '' : ' (just Enter when there is no more)'}: `,
    );
    if (url === '' && zips.length > 0) return zips;
    if (!/^https?:\/\/\S+$/.test(url)) continue;
    zips.push({ url, label: species === '1' ? await askUntil(ask, 'Its species: ', /\S/) : undefined });
  }
}

async function askModelName(ask: Ask): Promise<string> {
  for (;;) {
    const name = (await ask('Name of the model [diatoms]: ')) || 'diatoms';
    if (PUBLISH_MODEL['model-name'].accepts(name)) return name;
  }
}

async function askMachine(ask: Ask): Promise<Answers['machine']> {
  const question =
    'What trains? A machine with a GPU and a GitHub runner, with the label gpu (1), or a cluster with Slurm (2)? ';
  if ((await askUntil(ask, question, /^[12]$/)) === '1') return { kind: 'own' };
  const host = await askUntil(ask, 'Its login node, for ssh (login.cluster.example.org): ', /^[A-Za-z0-9][\w.:-]*$/);
  return {
    kind: 'slurm',
    host,
    user: await askUntil(ask, 'Your user name there: ', /^[A-Za-z0-9_][\w.@-]*$/),
    hostKey: await askUntil(ask, `A line that “ssh-keyscan ${host}” prints: `, /^\S+ ssh-\S+ \S+|^\S+ ecdsa-\S+ \S+/),
    partition: await askUntil(ask, 'Its partition with GPUs (sinfo lists them): ', /^\w[\w.,+-]*$/),
  };
}

async function askUntil(ask: Ask, question: string, allowed: RegExp): Promise<string> {
  for (;;) {
    const answer = await ask(question);
    if (allowed.test(answer)) return answer;
  }
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

function farewell(folder: string, secrets: readonly NeededSecret[]): string {
  return [
    '',
    `Written into ${folder}:`,
    `  ${SETTINGS}`,
    `  ${WORKFLOW}`,
    `  ${LIST}   (stays on this machine: .gitignore names it, as its links may open the zips)`,
    '',
    `Create these secrets${secretsPage(folder)}:`,
    ...secrets.flatMap(({ name, text }) => ['', name, `  ${text}`]),
    '',
    'Next',
    `  Check from here:  npm start -- --settings ${join(folder, SETTINGS)} --check`,
    '     with the environment variables FILE_LIST and OWNCLOUD_PASSWORD; in PowerShell: npm.cmd start -- …',
    `  git add .github .gitignore`,
    '  git commit -m "Diatom model"',
    '  git push',
    '  On GitHub: Actions, “Diatom model”, Run workflow, with “Only check” first.',
    '',
  ].join('\n');
}

/** Where secrets are created, when the folder is a clone of a repository on GitHub. */
function secretsPage(folder: string): string {
  const config = join(folder, '.git', 'config');
  const text = existsSync(config) ? readFileSync(config, 'utf8') : '';
  const name =
    /url\s*=\s*(?:https:\/\/(?:[^@\s/]+@)?github\.com\/|git@github\.com:)([\w.-]+\/[\w.-]+?)(?:\.git)?\s*$/m.exec(
      text,
    )?.[1];
  return name === undefined
    ? ' in your repository (Settings, Secrets and variables, Actions, New repository secret)'
    : ` at https://github.com/${name}/settings/secrets/actions/new`;
}
