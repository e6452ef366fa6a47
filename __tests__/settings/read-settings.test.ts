import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';
import { messageOf } from '../../src/errors.ts';
import { readSettings, type SettingsOptions } from '../../src/settings/read-settings.ts';

const OPTIONS: SettingsOptions = { where: 'diatoms.yml', isPublic: false, inWorkflow: true };
const OWNCLOUD = 'owncloud: { url: https://cloud.example.org, username: ada, password: secret OWNCLOUD_PASSWORD }';

/** What is built when the file says nothing about it: the workflow knows no defaults. */
const IMAGE = {
  registry: 'ghcr.io',
  platforms: 'linux/amd64',
  cache: 'registry',
  attest: 'auto',
  sbom: 'true',
  provenance: 'max',
};

function read(text: string, options: Partial<SettingsOptions> = {}) {
  return readSettings(text, { ...OPTIONS, ...options });
}

/** What is wrong with a file, a line each, without the sentence before them. */
function faultsOf(text: string, options: Partial<SettingsOptions> = {}): string[] {
  try {
    read(text, options);
    return [];
  } catch (error) {
    return messageOf(error).split('\n- ').slice(1);
  }
}

test('the template is right, and every stage gets its inputs, with what it needs of the account and no secret', () => {
  const { parts, runners, secrets } = read(readFileSync(join(ROOT, 'templates', 'diatoms.yml'), 'utf8'), {
    commit: 'a'.repeat(40),
  });
  const account = { 'owncloud-url': 'https://cloud.example.org', 'owncloud-username': 'my-name' };
  const commit = { 'settings-commit': 'a'.repeat(40) };
  expect(parts).toEqual({
    data: { ...account, 'owncloud-folder': 'data sets', split: 'keep', 'n-test': '20%', ...commit },
    image: IMAGE,
    train: {
      ...account,
      'owncloud-folder': 'data sets',
      'compare-with': 'models/diatoms/production',
      'timeout-minutes': '660',
      ...commit,
    },
    'gpu-server': {},
    publish: { ...account, 'owncloud-folder': 'data sets', 'model-name': 'diatoms', ...commit },
  });
  expect(runners).toEqual({ default: '"ubuntu-latest"', train: '["self-hosted","gpu"]', server: '"ubuntu-latest"' });
  expect(Object.fromEntries(secrets)).toEqual({ 'owncloud-password': 'OWNCLOUD_PASSWORD', 'file-list': 'FILE_LIST' });
});

test('maps, lists, numbers and texts of several lines become what the inputs take', () => {
  const { parts, runners } = read(`
${OWNCLOUD}
data:
  files:
    - { file_url: https://example.org/h.zip, downloaded_file_name: h.zip, exploded_folder_name: ., species_label: H }
  image-extensions: [png, tif]
  timeout-minutes: 90
train:
  env: { EPOCHS: 30, LR: 1e-3, NOTE: a b, DETERMINISTIC: true }
  gpus: [0, 1]
gpu-server:
  driver: slurm
  price-per-hour: 1.20
  slurm-options: [--qos=short, --exclusive]
  slurm-setup: |
    module load apptainer
    module load cuda
publish: { model-name: diatoms, username: eve, password: secret MODELS_PASSWORD, folder: m, environment: production }
image: { registry: registry.example.org, username: ada, name: lab/model, timeout-minutes: 30 }
runners: { default: [self-hosted, lab], server: { group: small } }
`);
  expect(parts.data).toMatchObject({ 'image-extensions': 'png, tif', 'job-timeout-minutes': '90' });
  expect(JSON.parse(parts.data['file-list'] ?? '')).toMatchObject([{ species_label: 'H' }]);
  expect(parts.train).toMatchObject({
    env: 'EPOCHS=30\nLR=1e-3\nNOTE=a b\nDETERMINISTIC=true',
    gpus: '0,1',
    'registry-username': 'ada',
    'compare-with': 'm/diatoms/production',
  });
  expect(parts['gpu-server']).toEqual({
    'owncloud-url': 'https://cloud.example.org',
    'owncloud-username': 'ada',
    driver: 'slurm',
    'price-per-hour': '1.20',
    'slurm-options': '--qos=short\n--exclusive',
    'slurm-setup': 'module load apptainer\nmodule load cuda\n',
  });
  expect(parts.publish).toMatchObject({ 'models-username': 'eve', 'models-folder': 'm', environment: 'production' });
  expect(parts.image).toEqual({
    ...IMAGE,
    registry: 'registry.example.org',
    'registry-username': 'ada',
    'image-name': 'lab/model',
    'job-timeout-minutes': '30',
  });
  expect(runners).toEqual({
    default: '["self-hosted","lab"]',
    train: '["self-hosted","gpu"]',
    server: '{"group":"small"}',
  });
});

test('JSON is read too', () => {
  expect(read('{"owncloud": {"url": "https://cloud.example.org"}}').parts.data['owncloud-url']).toBe(
    'https://cloud.example.org',
  );
});

/** Each a file with one kind of mistake: what has to be said about it, at which place. */
const WRONG: readonly (readonly [name: string, text: string, faults: readonly string[]])[] = [
  [
    'keys and sections that don’t exist',
    `${OWNCLOUD}\ndata:\n  n-tset: 20%\ntrian:\n  gpus: all\n`,
    [
      '3:3: data.n-tset: there is no such key. Did you mean n-test?',
      '4:1: there is no section trian. Did you mean train?',
    ],
  ],
  [
    'values that are not allowed',
    'data:\n  split: shufle\n  keep-last: -1\n  upload: yes\n  group-by: "("\n',
    [
      '2:10: data.split: is “shufle”, allowed is shuffle or stable or keep.',
      '3:14: data.keep-last: is “-1”, allowed is a whole number from 0 to 1000000.',
      '4:11: data.upload: is “yes”, allowed is true or false.',
      '5:13: data.group-by: is “(”, allowed is a JavaScript regular expression',
    ],
  ],
  [
    'a value where a secret belongs, never repeated',
    'owncloud:\n  url: https://cloud.example.org\n  password: hunter2\n',
    ['3:13: owncloud.password: a secret belongs here, and never its value: write “secret OWNCLOUD_PASSWORD”'],
  ],
  [
    'a secret of another name, and one where none belongs',
    'owncloud:\n  username: secret USER\n  password: secret MY_PASSWORD\n',
    [
      '2:13: owncloud.username: is no secret here, and can’t come from USER',
      '3:13: owncloud.password: names the secret MY_PASSWORD, and the workflows take it as OWNCLOUD_PASSWORD: write “secret OWNCLOUD_PASSWORD”, and hand yours on in the workflow that calls: OWNCLOUD_PASSWORD: $',
    ],
  ],
  [
    'no YAML: a key twice, a quotation mark that does not end',
    'train:\n  gpus: all\n  gpus: none\n  env: "A\n',
    ['3:3: gpus stands a second time here', '4:8: a quotation mark begins here, and none ends it'],
  ],
  [
    'lists and maps where they don’t belong, and nothing at all',
    'data:\n  split: [keep]\n  seed:\ntrain: all\n',
    ['2:10: data.split: is a list; allowed is', '3:8: data.seed: has no value', '4:8: train has to be a map'],
  ],
  [
    'runners as JSON, or of another name',
    'runners:\n  train: \'["self-hosted","gpu"]\'\n  gpu: x\n',
    ['2:10: runners.train: allowed is a name such as ubuntu-latest', '3:3: runners.gpu: there is no such key'],
  ],
  [
    'a list with faults, each where its entry stands',
    `data:
  files:
    - { file_url: https://example.org/h.zip, downloaded_file_name: h.zip, exploded_folder_name: H, species_label: H }
    - { file_url: example.org/n.zip, downloaded_file_name: h.zip, exploded_folder_name: N, specis_label: N }
`,
    [
      '4:7: data.files: entry 2, file_url: is not an address',
      '4:7: data.files: entry 2, species_label: is missing',
      '4:7: data.files: entry 2: unknown key “specis_label”',
      '4:7: data.files: entry 2, downloaded_file_name: “h.zip” is taken by entry 1',
    ],
  ],
  [
    'values that contradict each other',
    `${OWNCLOUD}\ndata:\n  split: stable\n  n-test: 10\ngpu-server:\n  driver: ec2\n  slurm-gres: gpu:1\n  lifetime-hours: 20\n  start-command: wake\n`,
    [
      '3:10: data.split: stable needs a seed',
      '3:10: data.split: stable needs a percentage as n-test',
      '7:15: gpu-server.slurm-gres: is for slurm, and driver is ec2: take it out.',
      '8:19: gpu-server.lifetime-hours: 20 is more than max-hours (12) allows',
      '9:18: gpu-server.start-command: is for command, and driver is ec2: take it out.',
    ],
  ],
  [
    'what is missing beside something else',
    'publish:\n  gate: accuracy > 0.8, acuracy >= 1\n  password: secret MODELS_PASSWORD\ngpu-server:\n  driver: gce\n  gce-project: lab-diatoms\n  gce-image: gpu\n',
    [
      '2:9: publish.model-name: is missing',
      '2:9: publish.model-name: can’t be published: owncloud.url is missing.',
      '2:9: publish.gate: is “accuracy > 0.8, acuracy >= 1”: line 1, column 17: found “acuracy >= 1”, expected is a figure (Did you mean accuracy?)',
      '3:13: publish.password: is set without username: they are one account.',
      '5:11: gpu-server.gce-zones: is missing, and driver is gce: docs/gpu-server-gce.md says',
      '5:11: gpu-server.gpu: is missing, and driver is gce',
    ],
  ],
];

describe('ten wrong files: each fault is found, all at once, with its line and column:', () => {
  test.each(WRONG)('%s', (_, text, faults) => {
    const found = faultsOf(text);
    expect(found.length, found.join('\n')).toBe(faults.length);
    for (const fault of faults) {
      expect(
        found.filter((line) => line.startsWith(`diatoms.yml:${fault}`)),
        `${fault}\n${found.join('\n')}`,
      ).toHaveLength(1);
    }
    expect(found.join('\n')).not.toContain('hunter2');
  });

  test('there are ten', () => expect(WRONG).toHaveLength(10));
});

test.each([
  [
    'begins too far right',
    'owncloud:\n  url: https://x.org\n   username: me\n  folder: d\n',
    '3:4',
    'in another column',
  ],
  [
    'begins too far right, in a list',
    'data:\n  files:\n    - file_url: x\n       label: y\n',
    '4:8',
    'in another column',
  ],
  ['begins too far left', 'owncloud:\n  url: https://x.org\n username: me\n  folder: d\n', '3:1', 'in another column'],
  ['begins with a tab', 'owncloud:\n  url: https://x.org\n\tusername: me\n  folder: d\n', '3:1', 'a tab stands'],
  ['is a section without its colon', 'owncloud\n  url: https://x.org\n', '1:1', 'behind “owncloud” a colon is missing'],
  [
    'is a later section without it',
    'train:\n  gpus: all\ndata\n  seed: 1\n',
    '3:1',
    'behind “data” a colon is missing',
  ],
  ['has no colon', 'owncloud:\n  url https://x.org\n  username: me\n', '2:3', 'behind “url” a colon is missing'],
  ['has no space', 'owncloud:\n  password:hunter2\n  username: me\n', '2:3', 'colon and a space: “password: …”'],
])('a line that %s is the only fault, at its own place', (_, text, place, sentence) => {
  const found = faultsOf(text);
  expect(found).toEqual([expect.stringContaining(sentence)]);
  expect(found[0]).toMatch(new RegExp(`^diatoms\\.yml:${place}: `));
  expect(found[0]).not.toContain('hunter2');
});

test('a number with a comma in a map is told as one', () => {
  const text = 'train:\n  env: { EPOCHS: 3, RATE: 0,001 }\n';
  expect(faultsOf(text)).toEqual([
    expect.stringMatching(
      /^diatoms\.yml:2:29: train\.env: has a comma between RATE=0 and 001: numbers are written with a/,
    ),
  ]);
});

describe('of a GPU server', () => {
  test.each([
    [
      'driver: slurm\n  aws-role: arn:aws:iam::1:role/x',
      ['3:13: gpu-server.aws-role: is for ec2, and driver is slurm: take it out.'],
    ],
    ['driver: ec2\n  aws-role: arn:aws:iam::1:role/x\n  aws-region: eu-central-1', []],
    [
      'driver: ""\n  ssh-host: gpu',
      [
        '2:11: gpu-server.driver: is empty, and other lines of the section are for one. Write local, command, ec2, gce, openstack or slurm, or take the whole section out where no server is to be started.',
      ],
    ],
    ['driver: ""', []],
    [
      'driver: ec2\n  ssh-host: gpu',
      ['3:13: gpu-server.ssh-host: is for command or slurm, and driver is ec2: take it out.'],
    ],
    [
      'driver: openstack\n  openstack-auth-url: https://keystone.example.org/v3\n  openstack-image: gpu',
      ['credential-id', 'credential-secret', 'flavors'].map(
        (name) =>
          `2:11: gpu-server.openstack-${name}: is missing, and driver is openstack: docs/gpu-server-openstack.md says what belongs there.`,
      ),
    ],
  ])('%j is refused for what no driver of it reads, or its driver lacks', (lines, faults) => {
    expect(faultsOf(`gpu-server:\n  ${lines}\n`)).toEqual(faults.map((fault) => `diatoms.yml:${fault}`));
  });
});

test('a list with the password of a link belongs into a secret, in a private repository too; it is not quoted', () => {
  const text = `data:\n  files:\n    - { file_url: "https://cloud.example.org/s/AbC", password: hush, downloaded_file_name: h.zip, exploded_folder_name: H, species_label: H }\n`;
  expect(faultsOf(text)).toEqual([
    expect.stringMatching(/^diatoms\.yml:3:7: data\.files, entry 1: it has a password, .*“files: secret FILE_LIST”/),
  ]);
  expect(faultsOf(text).join()).not.toContain('hush');
});

describe('a list in a public repository', () => {
  const entry = (url: string) =>
    `data:\n  files:\n    - { file_url: "${url}", downloaded_file_name: h.zip, exploded_folder_name: H, species_label: H }\n`;

  test.each([
    'https://cloud.example.org/s/AbCdEf123456',
    'https://cloud.example.org/s/AbCdEf123456/download',
    'https://example.org/h.zip?token=abc',
    'https://me:hush@example.org/h.zip',
    'https://www.dropbox.com/scl/fi/abc/h.zip?rlkey=x',
    'https://drive.google.com/file/d/1a2b3c4d/view',
  ])('must not hold %s, which opens its files to everybody', (url) => {
    expect(faultsOf(entry(url), { isPublic: true })).toEqual([
      expect.stringMatching(/^diatoms\.yml:3:7: data\.files, entry 1: the link opens its files/),
    ]);
    expect(faultsOf(entry(url), { isPublic: true }).join()).not.toContain(url);
    expect(faultsOf(entry(url))).toEqual([]);
  });

  test.each(['https://zenodo.org/records/123/files/h.zip?download=1', 'https://example.org/h.zip'])(
    'may hold %s',
    (url) => expect(faultsOf(entry(url), { isPublic: true })).toEqual([]),
  );

  test('is looked at too where the settings name its path', () => {
    const list = JSON.stringify([
      {
        file_url: 'https://cloud.example.org/s/AbCdEf123456',
        downloaded_file_name: 'h.zip',
        exploded_folder_name: 'H',
        species_label: 'H',
      },
    ]);
    const readList = (path: string) => (path === 'list.json' ? Buffer.from(list) : undefined);
    expect(faultsOf('data: { files: list.json }', { isPublic: true, readList })).toHaveLength(1);
    expect(faultsOf('data: { files: other.json }', { readList })).toEqual([
      'diatoms.yml:1:16: data.files: there is no file other.json in the repository.',
    ]);
    expect(read('data: { files: list.json }', { readList }).parts.data).toMatchObject({
      'file-list-path': 'list.json',
    });
  });
});
