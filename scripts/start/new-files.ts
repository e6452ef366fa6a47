import { Document } from 'yaml';
import { readSettings } from '../../src/settings/read-settings.ts';

/** What somebody has answered who begins. */
export interface Answers {
  /** Addresses of the zips, each with its one class; without a class, each folder of the zip is one. */
  readonly zips: readonly { readonly url: string; readonly label: string | undefined }[];
  readonly owncloud: { readonly url: string; readonly username: string; readonly folder: string };
  readonly modelName: string;
  readonly machine:
    | { readonly kind: 'own' }
    | {
        readonly kind: 'slurm';
        readonly host: string;
        readonly user: string;
        readonly partition: string;
        readonly hostKey: string;
      };
}

const SCHEMA =
  '# yaml-language-server: $schema=https://raw.githubusercontent.com/diatom-actions/diatom-actions/v1/docs/diatoms.schema.json';

/**
 * The settings file of somebody who begins.
 *
 * @throws DiatomError `INPUT` when the answers make no right one
 */
export function settingsFor({ owncloud, modelName, machine }: Answers): string {
  const document = new Document({
    owncloud: { ...owncloud, password: 'secret OWNCLOUD_PASSWORD' },
    data: { files: 'secret FILE_LIST', split: 'keep', 'n-test': '20%' },
    train: { 'timeout-minutes': 660 },
    ...(machine.kind === 'own' ? {} : { 'gpu-server': slurm(machine) }),
    publish: { 'model-name': modelName },
    runners: { default: 'ubuntu-latest', ...(machine.kind === 'own' ? { train: ['self-hosted', 'gpu'] } : {}) },
  });
  const text = `${SCHEMA}\n# docs/settings.md of Diatom Actions says what else can stand here.\n\n${document.toString({ lineWidth: 0 })}`;
  readSettings(text, { where: 'your answers', isPublic: false, inWorkflow: true });
  return text;
}

function slurm({ host, user, partition, hostKey }: Extract<Answers['machine'], { kind: 'slurm' }>) {
  return {
    driver: 'slurm',
    'ssh-host': host,
    'ssh-user': user,
    'ssh-key': 'secret SSH_KEY',
    'ssh-known-hosts': hostKey,
    'runner-token': 'secret RUNNER_TOKEN',
    'slurm-partition': partition,
  };
}

/** The file list, as CSV, which a spreadsheet opens. */
export function listFor({ zips }: Answers): string {
  const rows = zips.map(({ url, label }, index) => [
    url,
    `images-${index + 1}.zip`,
    label === undefined ? '*' : '.',
    label ?? '*',
  ]);
  const head = ['file_url', 'downloaded_file_name', 'exploded_folder_name', 'species_label'];
  return [head, ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('');
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A secret to be created, and what to paste. */
export interface NeededSecret {
  readonly name: string;
  readonly text: string;
}

/** @param packedList the list as one line */
export function secretsFor({ owncloud, machine }: Answers, packedList: string): NeededSecret[] {
  return [
    { name: 'FILE_LIST', text: packedList },
    {
      name: 'OWNCLOUD_PASSWORD',
      text: `an app password: sign in at ${owncloud.url} as ${owncloud.username}, then Settings, Security, “App passwords / tokens”`,
    },
    ...(machine.kind === 'own'
      ? []
      : [
          {
            name: 'SSH_KEY',
            text: `the private key with which ${machine.user} signs in at ${machine.host}, the whole file`,
          },
          {
            name: 'RUNNER_TOKEN',
            text: 'a fine-grained personal access token for your repository with Administration: read and write (https://github.com/settings/personal-access-tokens/new)',
          },
        ]),
  ];
}
