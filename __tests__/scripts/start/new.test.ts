import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../../scripts/action-metadata.ts';
import { makeSettings } from '../../../scripts/start/new.ts';
import { readOwnSettings } from '../../../scripts/start/own-settings.ts';
import { parseFileList } from '../../../src/dataset/file-list.ts';
import { readInputs } from '../../../src/gpu-server/inputs.ts';
import { readSettings } from '../../../src/settings/read-settings.ts';
import { setEnvironment, setInputs, temporaryFolder } from '../../helpers/runner.ts';

const LINK = 'https://cloud.example.org/s/AbCdEf';
const HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqF';

/** Somebody who answers one question after the other. */
function person(answers: readonly string[]) {
  const left = [...answers];
  const asked: string[] = [];
  return {
    left,
    asked,
    ask: async (question: string) => {
      asked.push(question);
      const answer = left.shift();
      if (answer === undefined) throw new Error(`There is no answer to “${question}”`);
      return answer;
    },
  };
}

const FOLDERS = ['2', LINK, ''];
const SPECIES = ['1', LINK, 'Hannaea, arcus', `${LINK}2`, 'Navicula', ''];
const ACCOUNT = ['https://cloud.example.org', 'ada', '', 'baltic'];
/** Whoever answers with just Enter takes what is offered. */
const DEFAULTS = ['https://cloud.example.org', 'ada', '', ''];

interface Way {
  readonly answers: readonly string[];
  /** Of the section gpu-server. */
  readonly server: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** What the person is told to do. */
  readonly steps: readonly string[];
}

const SLURM = ['2', 'login.x.org', 'me', `login.x.org ${HOST_KEY}`, 'gpu'];
const COMMANDS = [
  'wakeonlan 01:23:45:67:89:ab',
  'ssh gpu.lab "sudo poweroff" # now',
  "ping -c 1 gpu.lab && echo 'running'",
];

const WAYS: Readonly<Record<string, Way>> = {
  'a computer that is always on': {
    answers: ['1'],
    server: {},
    secrets: [],
    steps: ['“The GPU computer”'],
  },
  'a cluster': {
    answers: [...SLURM, 'biology', 'module load apptainer', '6'],
    server: {
      driver: 'slurm',
      'ssh-host': 'login.x.org',
      'slurm-partition': 'gpu',
      'slurm-account': 'biology',
      'slurm-setup': 'module load apptainer',
      'lifetime-hours': '6',
    },
    secrets: ['SSH_KEY', 'RUNNER_TOKEN'],
    steps: ['docs/gpu-server-slurm.md', 'gpu-reaper.yml'],
  },
  'a cluster, with nothing but what is needed': {
    answers: [...SLURM, '', '', ''],
    server: { driver: 'slurm', 'lifetime-hours': '12' },
    secrets: ['SSH_KEY', 'RUNNER_TOKEN'],
    steps: ['docs/gpu-server-slurm.md'],
  },
  'commands by ssh': {
    answers: ['3', 'door.x.org', 'me', `door.x.org ${HOST_KEY}`, ...COMMANDS, '20'],
    server: { driver: 'command', 'ssh-host': 'door.x.org', 'start-command': COMMANDS[0] ?? '', 'max-hours': '20' },
    secrets: ['SSH_KEY'],
    steps: ['docs/gpu-server-command.md', 'Put a key for door.x.org in place'],
  },
  'commands of a runner': {
    answers: ['3', '', ...COMMANDS, '1.5'],
    server: { driver: 'command', 'stop-command': COMMANDS[1] ?? '', 'status-command': COMMANDS[2] ?? '' },
    secrets: [],
    steps: ['Register a runner with the label server', 'you need the reaper'],
  },
  Amazon: {
    answers: ['4', 'eu-central-1', 'arn:aws:iam::123456789012:role/diatoms', '', 'sg-0123456789abcdef0', '6'],
    server: { driver: 'ec2', 'aws-region': 'eu-central-1', 'ec2-security-groups': 'sg-0123456789abcdef0' },
    secrets: ['RUNNER_TOKEN'],
    steps: ['docs/gpu-server-ec2.md, steps 1 to 3'],
  },
  'Amazon, with its default group': {
    answers: ['4', 'eu-central-1', 'arn:aws:iam::123456789012:role/diatoms', 'A10G', '', ''],
    server: { driver: 'ec2', gpu: 'A10G' },
    secrets: ['RUNNER_TOKEN'],
    steps: ['gpu-reaper.yml'],
  },
};

const ALL = Object.entries(WAYS).flatMap(([name, way]) =>
  [
    { zips: 'a folder for each species', before: [...FOLDERS, ...ACCOUNT], fork: 'my-lab' },
    { zips: 'one species a zip', before: [...SPECIES, ...DEFAULTS], fork: '' },
  ].map((start) => ({ name, ...way, ...start })),
);

describe.each(ALL)('$name, $zips:', ({ answers, before, fork, server, secrets, steps }) => {
  async function made() {
    const folder = temporaryFolder();
    const { ask, left } = person([...before, ...answers, fork]);
    const text = await makeSettings(folder, ask);
    expect(left).toEqual([]);
    return { folder, text, settings: readFileSync(join(folder, '.github', 'diatoms.yml'), 'utf8') };
  }

  test('the settings are right, on GitHub and here, and say what was answered', async () => {
    const { folder, settings } = await made();
    const { parts } = readSettings(settings, { where: 'x', isPublic: true, inWorkflow: true });
    expect(parts['gpu-server']).toMatchObject(server);
    expect(Object.keys(parts['gpu-server']).length > 0).toBe(Object.keys(server).length > 0);
    setEnvironment({ INIT_CWD: folder });
    expect(readOwnSettings('.github/diatoms.yml', true, {}).refusedOnGithub).toBeUndefined();
  });

  test('the action takes them for a start, which ends the training before the server', async () => {
    const { settings } = await made();
    const { parts } = readSettings(settings, { where: 'x', isPublic: true, inWorkflow: true });
    if (Object.keys(server).length === 0) return;
    setEnvironment({
      GITHUB_REPOSITORY: 'lab/x',
      GITHUB_RUN_ID: '1',
      GITHUB_RUN_ATTEMPT: '1',
      AWS_REGION: 'eu-central-1',
    });
    setInputs({
      mode: 'start',
      settings: JSON.stringify(parts['gpu-server']),
      'ssh-key': 'key',
      'runner-token': 'token',
    });
    const { maxMinutes } = readInputs(process.env);
    const driver = parts['gpu-server']['driver'];
    expect(driver).toBe(server['driver']);
    expect(maxMinutes).toBeGreaterThan(Number(parts.train['timeout-minutes']));
    expect(parts.train['engine']).toBe(driver === 'slurm' ? 'apptainer' : undefined);
  });

  test('the workflow hands on each secret that is to be created, and calls the fork', async () => {
    const { folder, text } = await made();
    const workflow = readFileSync(join(folder, '.github', 'workflows', 'diatom-model.yml'), 'utf8');
    for (const name of ['FILE_LIST', 'OWNCLOUD_PASSWORD', ...secrets]) {
      expect(text).toMatch(new RegExp(`^${name}$`, 'm'));
      expect(workflow).toContain(`${name}: \${{ secrets.${name} }}`);
    }
    const called = [...workflow.matchAll(/uses: (\S+?)\/diatom-actions\/\S+@(\S+)/g)].map(([, owner, ref]) => [
      owner,
      ref,
    ]);
    expect(called).toEqual(fork === '' ? Array(2).fill(['diatom-actions', 'v1']) : Array(2).fill([fork, 'main']));
    expect(text).toContain(
      fork === '' ? 'Fork https://github.com/diatom-actions/diatom-actions' : `your fork, ${fork}/`,
    );
    for (const step of steps) expect(text).toContain(step);
  });

  test('the list is right, and the line for the secret says the same', async () => {
    const { folder, text } = await made();
    const list = parseFileList(readFileSync(join(folder, 'file-list.csv')), 'x');
    expect(list[0]).toMatchObject({ fileUrl: LINK });
    expect(parseFileList(/FILE_LIST\n {2}(\S+)\n/.exec(text)?.[1] ?? '', 'x')).toEqual(list);
  });
});

test('every page and template that the next steps name is there', async () => {
  const texts = await Promise.all(
    Object.values(WAYS).map(({ answers }) =>
      makeSettings(temporaryFolder(), person([...FOLDERS, ...ACCOUNT, ...answers, '']).ask),
    ),
  );
  const named = texts.flatMap((text) =>
    [...text.matchAll(/\b(?:docs|templates)\/[\w/-]+\.(?:md|yml)/g)].map(([path]) => path),
  );
  expect(named.length).toBeGreaterThan(5);
  for (const path of named) expect(existsSync(join(ROOT, path)), path).toBe(true);
});

test('links stay out of the settings and out of the repository', async () => {
  const folder = temporaryFolder();
  await writeFile(join(folder, '.gitignore'), 'node_modules');
  await makeSettings(folder, person([...FOLDERS, ...ACCOUNT, '1', '']).ask);
  expect(readFileSync(join(folder, '.github', 'diatoms.yml'), 'utf8')).not.toContain(LINK);
  expect(readFileSync(join(folder, '.gitignore'), 'utf8')).toBe('node_modules\n/file-list.csv\n');
});

test('what makes no sense is asked again, with the reason', async () => {
  const zips = ['3', '1', '', 'no link', LINK, 'Hannaea sp.', 'Hannaea', LINK, ''];
  const account = [
    'cloud',
    'https://ada:pw@cloud.example.org',
    'https://cloud.example.org',
    '',
    'ada',
    'x/../y',
    'x',
    'a/b',
    'm',
  ];
  const cluster = [
    '7',
    '2',
    '-x',
    'l.x.org',
    'me',
    '# l.x.org:22 SSH-2.0',
    `l.x.org ${HOST_KEY}`,
    '',
    'gpu',
    '',
    '',
    '0',
    '500',
    '2',
  ];
  const { ask, left, asked } = person([...zips, ...account, ...cluster, 'lab/fork', 'lab']);
  await makeSettings(temporaryFolder(), ask);
  expect(left).toEqual([]);
  const again = asked.filter((question) => question.includes('That can’t be it'));
  expect(again).toHaveLength(17);
  expect(again.join('\n')).toContain(
    'it will be the name of a folder, and begins with a space, or ends with a space or a dot',
  );
});

test('in a clone of a repository on GitHub, its owner is offered for the fork, and the page of its secrets is named', async () => {
  const folder = temporaryFolder();
  await mkdir(join(folder, '.git'));
  await writeFile(join(folder, '.git', 'config'), '[remote "origin"]\n\turl = git@github.com:lab/diatoms.git\n');
  const text = await makeSettings(folder, person([...FOLDERS, ...ACCOUNT, '1', '']).ask);
  expect(text).toContain('https://github.com/lab/diatoms/settings/secrets/actions/new');
  expect(text).toContain('your fork, lab/diatom-actions');
  expect(text).toContain('git push');
});

test('in the folder of this program, another folder is asked for', async () => {
  const folder = join(temporaryFolder(), 'new one');
  const text = await makeSettings(ROOT, person([folder, ...FOLDERS, ...ACCOUNT, '1', 'lab']).ask);
  expect(existsSync(join(folder, '.github', 'diatoms.yml'))).toBe(true);
  expect(existsSync(join(ROOT, 'file-list.csv'))).toBe(false);
  expect(text).toContain(`--settings "${join(folder, '.github', 'diatoms.yml')}"`);
  expect(text).toContain('Upload files');
});

test('~ is the home folder', async () => {
  const home = temporaryFolder();
  setEnvironment({ HOME: home, USERPROFILE: home });
  await makeSettings(ROOT, person(['~/my models', ...FOLDERS, ...ACCOUNT, '1', 'lab']).ask);
  expect(existsSync(join(home, 'my models', '.github', 'diatoms.yml'))).toBe(true);
});

test('nothing that is there is replaced, and nothing is asked then', async () => {
  const folder = temporaryFolder();
  await mkdir(join(folder, '.github'));
  await writeFile(join(folder, '.github', 'diatoms.yml'), 'mine');
  await expect(makeSettings(folder, person([]).ask)).rejects.toThrow('is there already, and is not replaced');
  expect(readFileSync(join(folder, '.github', 'diatoms.yml'), 'utf8')).toBe('mine');
  expect(existsSync(join(folder, 'file-list.csv'))).toBe(false);
});
