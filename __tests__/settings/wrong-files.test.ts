import { expect, test } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import { readSettings } from '../../src/settings/read-settings.ts';

const OWNCLOUD = 'owncloud: { url: https://cloud.example.org, username: ada, password: secret OWNCLOUD_PASSWORD }\n';

interface WrongFile {
  readonly text: string;
  /** How each fault begins, and no other is found. */
  readonly faults: readonly string[];
  readonly isPublic?: boolean;
  /** What no message may repeat. */
  readonly hidden?: string;
}

/** What people write who do it for the first time, a kind each. */
const FILES: Readonly<Record<string, WrongFile>> = {
  'a tab instead of spaces, and nothing that the parser makes of the rest': {
    text: `${OWNCLOUD}data:\n\tsplit: keep\n\tn-tset: 20%\n`,
    faults: ['3:1: a tab stands at the beginning of this line', '4:1: a tab'],
  },
  'spaces of a web page': {
    text: 'owncloud:\n\u00a0\u00a0url: https://cloud.example.org\n',
    faults: ['2:1: this line begins with characters that look like spaces but are not'],
  },
  'a section twice, and what is wrong elsewhere as well': {
    text: `data:\n  split: keep\ntrain:\n  gpuz: all\ndata:\n  n-test: 20%\n`,
    faults: ['4:3: train.gpuz: there is no such key. Did you mean gpus?', '5:1: data stands a second time here'],
  },
  'a quotation mark that nothing ends, where it begins': {
    text: `${OWNCLOUD}publish:\n  model-name: "diatoms\n  gate: accuracy >= 0.8\nrunners:\n  default: ubuntu-latest\n`,
    faults: ['3:15: a quotation mark begins here, and none ends it'],
  },
  'characters that YAML reads otherwise': {
    text: `${OWNCLOUD}data:\n  n-test: %20\n  group-by: "^(\\w+)_"\npublish:\n  model-name: diatoms: baltic\n`,
    faults: [
      '3:11: a value can’t begin with this character',
      '4:16: between " and ", YAML reads a \\ as the beginning of a special character',
      '6:15: this value has a colon with a space behind it',
    ],
  },
  'the * of the file list without quotation marks, and a reference to nothing': {
    text: 'data:\n  files:\n    - file_url: https://example.org/a.zip\n      downloaded_file_name: a.zip\n      exploded_folder_name: *\n      species_label: *all\n',
    faults: ['5:29: a value that begins with * is a reference', '6:22: *all refers to nothing in this file'],
  },
  'an indentation that is off by one': {
    text: 'owncloud:\n  url: https://cloud.example.org\n username: ada\n',
    faults: ['3:1: this line begins in another column'],
  },
  'a colon without a space, a list, and a section without keys': {
    text: 'owncloud:\n  url:https://cloud.example.org\n  username:ada\ndata:\n  - split: keep\ntrain:\n',
    faults: [
      '2:3: owncloud has to be a map: keys with values, below it and indented. A space is missing behind a colon.',
      '5:3: data has to be a map: keys with values, below it and indented. There is a list',
      '6:7: train has to be a map: keys with values, below it and indented. There is nothing',
    ],
  },
  'keys in the wrong section, by the names of inputs and of variables, and what belongs to one run': {
    text: 'OWNCLOUD_URL: https://cloud.example.org\nmodels-folder: m\ndata:\n  gpus: all\n  file-list-path: list.csv\n  check: true\nimage:\n  image-name: lab/model\n',
    faults: [
      '1:1: there is no section OWNCLOUD_URL. It is url in the section owncloud.',
      '2:1: there is no section models-folder. It is folder in the section publish.',
      '4:3: data.gpus: there is no such key. It is gpus in the section train.',
      '5:3: data.file-list-path: there is no such key. It is files in the section data.',
      '6:3: data.check: there is no such key. It belongs to one run',
      '8:3: image.image-name: there is no such key. It is name in the section image.',
    ],
  },
  'secrets as a workflow names them': {
    text: `owncloud:\n  password: \${{ secrets.OWNCLOUD_PASSWORD }}\nimage:\n  password: $REGISTRY_PASSWORD\ndata:\n  files: \${{ secrets.FILE_LIST }}\ntrain:\n  gpus: \${{ vars.GPUS }}\n  env:\n    EPOCHS: 30\n    TOKEN: secret HF_TOKEN\n`,
    faults: [
      '2:13: owncloud.password: a secret is written “secret OWNCLOUD_PASSWORD” here',
      '4:13: image.password: a secret is written “secret REGISTRY_PASSWORD” here',
      '6:10: data.files: a secret is written “secret FILE_LIST” here',
      `8:9: train.gpus: holds \${{ … }}, for which nothing is filled in here`,
      '11:12: train.env: is no secret here, and can’t come from HF_TOKEN',
    ],
  },
  'secrets themselves, also within addresses': {
    text: 'owncloud:\n  url: https://ada:hunter2@cloud.example.org\n  password: hunter2\ntrain:\n  env: { INDEX: "https://ada:hunter2@pypi.example.org/simple" }\n',
    faults: [
      '2:8: owncloud.url: holds a password (before the “@” of an address)',
      '3:13: owncloud.password: a secret belongs here, and never its value',
      '5:17: train.env: holds a password',
    ],
    hidden: 'hunter2',
  },
  'the value of a secret behind the word; the name in small letters is fine': {
    text: 'owncloud:\n  password: secret hunter2\nimage:\n  username: secret hunter2\n  password: secret registry_password\n',
    faults: [
      '2:13: owncloud.password: a secret belongs here, and never its value',
      '4:13: image.username: is no secret here: write the value itself.',
    ],
    hidden: 'hunter2',
  },
  'a tag instead of a word': {
    text: 'owncloud:\n  password: !secret OWNCLOUD_PASSWORD\n',
    faults: ['2:13: a word that begins with ! is a tag in YAML, and means nothing here (!secret)'],
  },
  'in a public repository, a folder that everybody may write to': {
    text: 'owncloud:\n  url: https://cloud.example.org/s/AbCdEf123456\n',
    faults: ['2:8: owncloud.url: is a link that opens what it leads to for everybody who has it'],
    isPublic: true,
    hidden: 'AbCdEf123456',
  },
  'numbers as people write them, and values without one': {
    text: 'train:\n  timeout-minutes: 1,5\n  env:\n    EPOCHS:\ngpu-server:\n  driver: local\n  price-per-hour: 1,20\n  start-timeout-minutes: 30 min\n',
    faults: [
      '2:20: train.timeout-minutes: is “1,5”, allowed is a number',
      '4:5: train.env: has for EPOCHS no value',
      '7:19: gpu-server.price-per-hour: is “1,20”, allowed is a number',
      '8:26: gpu-server.start-timeout-minutes: is “30 min”, allowed is a number',
    ],
  },
  'quotation marks of a word processor, and several labels in one': {
    text: `${OWNCLOUD}publish:\n  model-name: “diatoms”\nrunners:\n  train: self-hosted, gpu\n  server: {}\n`,
    faults: [
      '3:15: publish.model-name: begins with a quotation mark of a word processor',
      '5:10: runners.train: allowed is a name such as ubuntu-latest, labels such as [self-hosted, gpu]',
      '6:11: runners.server: allowed is',
    ],
  },
  'several nodes of a cluster, for a training that would use one': {
    text: 'gpu-server:\n  driver: slurm\n  slurm-nodes: 2\ntrain:\n  train-command: torchrun /opt/model/train.py\n',
    faults: ['3:16: gpu-server.slurm-nodes: 2 needs engine: apptainer for the training, found docker'],
  },
  'several nodes of a cluster, for a training that would run once on each': {
    text: 'gpu-server:\n  driver: slurm\n  slurm-nodes: 2\ntrain:\n  engine: apptainer\n',
    faults: ['3:16: gpu-server.slurm-nodes: 2 needs a train-command with torchrun'],
  },
  'a workflow at the place of the settings': {
    text: 'on: push\njobs:\n  x:\n    runs-on: ubuntu-latest\n',
    faults: ['2:1: this is a workflow, and no settings file'],
  },
  'two versions that Git could not join': {
    text: 'data:\n<<<<<<< HEAD\n  split: keep\n=======\n  split: stable\n>>>>>>> other\n',
    faults: ['2:1: Git has put two versions of the file here'],
  },
  'nothing but comments': { text: '# owncloud:\n\n', faults: ['1:1: there is no section: the file is empty'] },
  'a list of sections': { text: '- data:\n    split: keep\n', faults: ['1:1: the file is a list'] },
  'two documents': { text: `${OWNCLOUD}---\n${OWNCLOUD}`, faults: ['2:1: the line --- begins a second document'] },
  'what can’t be a key, and keys that YAML knows elsewhere': {
    text: '? [data, train]\n: x\ntrain:\n  <<: { gpus: all }\n',
    faults: ['1:3: this can’t be a key', '4:3: “<<” is not read here'],
  },
  'lines that end as in Windows, behind a byte order mark': {
    text: '\ufeffdata:\r\n  split: shufle\r\n',
    faults: ['2:10: data.split: is “shufle”, allowed is shuffle or stable or keep.'],
  },
};

test.each(Object.entries(FILES))('%s', (_, { text, faults, isPublic = false, hidden }) => {
  const found = faultsOf(text, isPublic);
  expect(found.length, found.join('\n')).toBe(faults.length);
  for (const [index, fault] of faults.entries()) expect(found[index]).toContain(`diatoms.yml:${fault}`);
  if (hidden !== undefined) expect(found.join('\n')).not.toContain(hidden);
});

function faultsOf(text: string, isPublic: boolean): string[] {
  try {
    readSettings(text, { where: 'diatoms.yml', isPublic, inWorkflow: true, readList: () => undefined });
    return [];
  } catch (error) {
    return messageOf(error).split('\n- ').slice(1);
  }
}
