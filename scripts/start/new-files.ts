import { Document } from 'yaml';
import { parseFileList } from '../../src/dataset/file-list.ts';
import { readSettings } from '../../src/settings/read-settings.ts';

/** A zip with its one class; without a label, each folder of it is one. */
export interface Zip {
  readonly url: string;
  readonly label: string | undefined;
}

export interface Ssh {
  readonly host: string;
  readonly user: string;
  readonly hostKey: string;
}

/** A machine that is started for a training; it ends by itself after `hours`. */
export type Server = { readonly hours: number } & (
  | {
      readonly kind: 'slurm';
      readonly ssh: Ssh;
      readonly partition: string;
      readonly account: string;
      readonly setup: string;
    }
  | {
      readonly kind: 'command';
      readonly ssh: Ssh | undefined;
      readonly start: string;
      readonly stop: string;
      readonly status: string;
    }
  | {
      readonly kind: 'ec2';
      readonly region: string;
      readonly role: string;
      readonly gpu: string;
      readonly group: string;
    }
);

/** Where a model is trained. */
export type Machine = { readonly kind: 'own' } | Server;

/** What somebody has answered who begins. */
export interface Answers {
  readonly zips: readonly Zip[];
  readonly owncloud: { readonly url: string; readonly username: string; readonly folder: string };
  readonly modelName: string;
  readonly machine: Machine;
  /** The owner of the fork whose workflows are called; `''` for none. */
  readonly fork: string;
}

/** Amazon’s own image for GPUs, always the newest. */
const AMI = 'resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id';
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
    train: trainOn(machine),
    ...(machine.kind === 'own' ? {} : { 'gpu-server': startOf(machine) }),
    publish: { 'model-name': modelName },
    runners: runnersFor(machine),
  });
  const text = `${SCHEMA}\n# docs/settings.md of Diatom Actions says what else can stand here.\n\n${document.toString({ lineWidth: 0 })}`;
  readSettings(text, { where: 'your answers', isPublic: false, inWorkflow: true });
  return text;
}

function trainOn(machine: Machine): object {
  if (machine.kind === 'own') return { 'timeout-minutes': 660 };
  // A server that ends in the middle would take the model with it.
  const minutes = Math.floor(machine.hours * 60 - Math.min(60, machine.hours * 15));
  // Clusters have no Docker; Apptainer doesn’t know the image’s working folder.
  const apptainer = {
    engine: 'apptainer',
    'train-command': 'python /opt/model/train.py',
    'test-command': 'python /opt/model/test.py',
  };
  return { ...(machine.kind === 'slurm' ? apptainer : {}), 'timeout-minutes': minutes };
}

function startOf(machine: Server): object {
  const { kind, hours } = machine;
  const life = { 'lifetime-hours': hours, ...(hours > 12 ? { 'max-hours': hours } : {}) };
  const token = { 'runner-token': 'secret RUNNER_TOKEN' };
  if (kind === 'slurm') {
    const { ssh, partition, account, setup } = machine;
    return {
      driver: kind,
      ...life,
      ...token,
      ...signIn(ssh),
      'slurm-partition': partition,
      ...(account === '' ? {} : { 'slurm-account': account }),
      ...(setup === '' ? {} : { 'slurm-setup': setup }),
    };
  }
  if (kind === 'command') {
    const { ssh, start, stop, status } = machine;
    return {
      driver: kind,
      ...life,
      ...(ssh === undefined ? {} : signIn(ssh)),
      'start-command': start,
      'stop-command': stop,
      'status-command': status,
    };
  }
  const { region, role, gpu, group } = machine;
  return {
    driver: kind,
    ...life,
    ...token,
    'aws-region': region,
    'aws-role': role,
    gpu,
    'ec2-ami': AMI,
    ...(group === '' ? {} : { 'ec2-security-groups': group }),
    'ec2-disk-gb': 150,
  };
}

function signIn({ host, user, hostKey }: Ssh): object {
  return { 'ssh-host': host, 'ssh-user': user, 'ssh-key': 'secret SSH_KEY', 'ssh-known-hosts': hostKey };
}

function runnersFor(machine: Machine): object {
  const server = machine.kind === 'command' && machine.ssh === undefined ? { server: ['self-hosted', 'server'] } : {};
  return {
    default: 'ubuntu-latest',
    ...(machine.kind === 'own' ? { train: ['self-hosted', 'gpu'] } : server),
  };
}

/**
 * The file list, as CSV, which a spreadsheet opens.
 *
 * @throws DiatomError `FILE_LIST` when the answers make no right one
 */
export function listFor({ zips }: Answers): string {
  const rows = zips.map(({ url, label }, index) => [
    url,
    `images-${index + 1}.zip`,
    label === undefined ? '*' : '.',
    label ?? '*',
  ]);
  const head = ['file_url', 'downloaded_file_name', 'exploded_folder_name', 'species_label'];
  const text = [head, ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('');
  parseFileList(text, 'your answers');
  return text;
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A workflow of the templates that calls the fork, where there is one. */
export function workflowFor({ fork }: Answers, template: string): string {
  return fork === ''
    ? template
    : template.replaceAll(/uses: diatom-actions\/(diatom-actions\/\S+)@v1$/gm, `uses: ${fork}/$1@main`);
}
