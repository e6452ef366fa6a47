import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Answers } from './new-files.ts';

export const SETTINGS = '.github/diatoms.yml';
export const WORKFLOW = '.github/workflows/diatom-model.yml';
/** Its links may open the zips to everybody who has them: it stays out of the repository. */
export const LIST = 'file-list.csv';

/** A secret to be created, and what to paste. */
interface NeededSecret {
  readonly name: string;
  readonly text: string;
}

export interface Written {
  readonly folder: string;
  /** The folder of this program. */
  readonly program: string;
  readonly answers: Answers;
  /** The list as one line, and what is to be said about it. */
  readonly packed: { readonly line: string; readonly note: string };
  /** `owner/name` on GitHub; `undefined` when nobody knows. */
  readonly repository: string | undefined;
}

/** What was written, and what is to be done next. */
export function nextSteps({ folder, program, answers, packed, repository }: Written): string {
  const page =
    repository === undefined
      ? 'in your repository (Settings, Secrets and variables, Actions, New repository secret)'
      : `at https://github.com/${repository}/settings/secrets/actions/new`;
  return [
    '',
    `Written into ${folder}:`,
    `  ${SETTINGS}`,
    `  ${WORKFLOW}`,
    `  ${LIST}   (stays on this machine: .gitignore names it, as its links may open the zips)`,
    '',
    `Create these secrets ${page}:`,
    ...secretsFor(answers, packed).flatMap(({ name, text }) => ['', name, `  ${text}`]),
    '',
    'Next',
    ...numbered([
      ...forkFor(answers),
      ...machineFor(answers),
      check(folder, program),
      ...upload(folder),
      'On GitHub, in your repository: Actions, “Diatom model”, Run workflow, with “Only check whether everything is ready”. Then without.',
    ]),
    '',
  ].join('\n');
}

function secretsFor({ owncloud, machine }: Answers, { line, note }: Written['packed']): NeededSecret[] {
  const { kind } = machine;
  const ssh = kind === 'slurm' || kind === 'command' ? machine.ssh : undefined;
  return [
    // More than a secret holds is said in the note.
    { name: 'FILE_LIST', text: /a secret holds/.test(note) ? `${line}\n  ${note}` : line },
    {
      name: 'OWNCLOUD_PASSWORD',
      text: `an app password: sign in at ${owncloud.url} as ${owncloud.username}, then Settings, Security, “App passwords / tokens”`,
    },
    ...(ssh === undefined
      ? []
      : [{ name: 'SSH_KEY', text: `the private key with which ${ssh.user} signs in at ${ssh.host}, the whole file` }]),
    ...(kind === 'slurm' || kind === 'ec2'
      ? [
          {
            name: 'RUNNER_TOKEN',
            text: 'a fine-grained personal access token for your repository with Administration: read and write (https://github.com/settings/personal-access-tokens/new). It ends on the day that you choose there',
          },
        ]
      : []),
  ];
}

function forkFor({ fork }: Answers): string[] {
  if (fork !== '') {
    return [`The workflow calls your fork, ${fork}/diatom-actions: your repository has to belong to ${fork}, too.`];
  }
  return [
    `Fork https://github.com/diatom-actions/diatom-actions to the owner of your repository, as GitHub lends its runners to no workflow of others. In the two lines with “uses:” of ${WORKFLOW}, write that owner instead of the first “diatom-actions”, and @main instead of @v1.`,
  ];
}

/** What has to be set up once, before a run. */
function machineFor({ machine }: Answers): string[] {
  switch (machine.kind) {
    case 'own':
      return [
        'Set up the computer with the GPU: docs/from-zero.md, “The GPU computer”. Its runner gets the label gpu.',
      ];
    case 'slurm':
      return [
        `Set up the account on the cluster: docs/gpu-server-slurm.md. The host key in ${SETTINGS} has to be the cluster’s own: compare its fingerprint.`,
        reaper(),
      ];
    case 'command':
      return [
        'Install a runner with the label gpu on the computer that is switched on, as a service that starts with it: docs/gpu-server-command.md, “What to do once”.',
        machine.ssh === undefined
          ? 'Register a runner with the label server on a machine that is always on and can give these commands. Nothing there ends the computer when nobody stops it: you need the reaper below, or say in “server-limit” what does.'
          : `Put a key for ${machine.ssh.host} in place, and compare its host key: the same page.`,
        reaper(),
      ];
    case 'ec2':
      return [
        'Prepare the account at Amazon: docs/gpu-server-ec2.md, steps 1 to 3 (a quota for GPUs, which takes hours to days; the role; what it may do). Set a budget that sends you a mail.',
        reaper(),
      ];
  }
}

function reaper(): string {
  return 'Copy templates/workflows/gpu-reaper.yml to .github/workflows: it ends what a run that was killed has left. (Every hour takes some 1,450 of GitHub’s minutes a month in a private repository; its head says how to take fewer.)';
}

function check(folder: string, program: string): string {
  const start = join(relative(process.cwd(), program) || '.', 'scripts', 'start.ts');
  // npm brings its own Node.js, whatever there is.
  const [how, command] = process.env['npm_lifecycle_event']
    ? ['', `npm --prefix ${quoted(program)} start --`]
    : [', with Node.js 24', `node ${quoted(start)}`];
  return `Check from here${how} (it asks for the password):\n  ${command} --settings ${quoted(join(folder, SETTINGS))} --file-list ${quoted(join(folder, LIST))} --check`;
}

function quoted(path: string): string {
  return /\s/.test(path) ? `"${path}"` : path;
}

function upload(folder: string): string[] {
  if (existsSync(join(folder, '.git'))) {
    return ['Send it to GitHub:\n  git add .github .gitignore\n  git commit -m "Diatom model"\n  git push'];
  }
  return [
    `Bring it to GitHub: in your repository, Add file, Upload files, and drag the folder .github of ${folder} in. (Your computer may hide it, as its name begins with a dot: macOS shows it by Cmd-Shift-Dot, Windows by View, Show, Hidden items.)`,
  ];
}

function numbered(steps: readonly string[]): string[] {
  return steps.map((step, index) => `  ${index + 1}. ${step.replaceAll('\n', '\n     ')}`);
}
