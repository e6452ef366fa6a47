import { whyUnsafeName } from '../../src/dataset/safe-name.ts';
import { messageOf } from '../../src/errors.ts';
import { parseOwncloudAddress } from '../../src/owncloud/address.ts';
import { folder } from '../../src/schema/common.ts';
import { GPU_SERVER } from '../../src/schema/gpu-server.ts';
import type { Kind } from '../../src/schema/kinds.ts';
import { PUBLISH_MODEL } from '../../src/schema/publish-model.ts';
import type { Answers, Machine, Ssh, Zip } from './new-files.ts';

/** Asks a person; the answer has no spaces at its ends. */
export type Ask = (question: string) => Promise<string>;

/** Why an answer can’t be taken; `undefined` when it can. */
type WhyNot = (answer: string) => string | undefined;

/** @param owner who most probably owns the fork */
export async function askAll(ask: Ask, owner: string): Promise<Answers> {
  return {
    zips: await askZips(ask),
    owncloud: {
      url: await askUntil(ask, 'Address of your ownCloud or Nextcloud (https://cloud.example.org): ', whyNoServer),
      username: await askUntil(ask, 'Your user name there: ', needed),
      folder: await askUntil(ask, 'Folder there for data sets [data sets]: ', fits(folder()), 'data sets'),
    },
    modelName: await askUntil(ask, 'Name of the model [diatoms]: ', fits(PUBLISH_MODEL['model-name']), 'diatoms'),
    machine: await askMachine(ask),
    fork: await askUntil(
      ask,
      `Who owns your fork of Diatom Actions on GitHub [${owner || 'just Enter: there is none yet'}]: `,
      (name) => (/^[\w-]*$/.test(name) ? undefined : 'the name of an account or organisation is asked for'),
      owner,
    ),
  };
}

async function askZips(ask: Ask): Promise<readonly Zip[]> {
  const species = await askChoice(ask, 'Is each zip one species (1), or has it a folder for each species (2)? ', 2);
  const zips: Zip[] = [];
  for (;;) {
    const more = zips.length === 0 ? '' : ' (just Enter when there is no more)';
    const known = zips.map(({ url }) => url);
    const url = await askUntil(ask, `Link to zip ${zips.length + 1}${more}: `, (link) => {
      if (link === '' && zips.length > 0) return undefined;
      if (!/^https?:\/\/\S+$/.test(link) || !URL.canParse(link)) return 'a link begins with https:// and has no spaces';
      return known.includes(link) ? 'this link was given before' : undefined;
    });
    if (url === '') return zips;
    zips.push({ url, label: species === 1 ? await askUntil(ask, 'Its species: ', whyNoLabel) : undefined });
  }
}

async function askMachine(ask: Ask): Promise<Machine> {
  const question =
    'What trains? A computer with a GPU that is always on (1), a cluster with Slurm (2), a computer that commands switch on and off (3), or one that is rented at Amazon (4)? ';
  const choice = await askChoice(ask, question, 4);
  if (choice === 1) return { kind: 'own' };
  const machine = choice === 2 ? await askSlurm(ask) : choice === 3 ? await askCommand(ask) : await askEc2(ask);
  const hours = await askUntil(
    ask,
    'After how many hours does it end by itself, whatever happens [12]: ',
    (text) => (Number(text) >= 1 ? fits(GPU_SERVER['lifetime-hours'])(text) : 'at least 1'),
    '12',
  );
  return { ...machine, hours: Number(hours) };
}

async function askSlurm(ask: Ask) {
  return {
    kind: 'slurm' as const,
    ssh: await askSsh(
      ask,
      await askUntil(ask, 'Its login node, for ssh (login.cluster.example.org): ', neededAnd(GPU_SERVER['ssh-host'])),
    ),
    partition: await askUntil(
      ask,
      'Its partition with GPUs (sinfo lists them): ',
      neededAnd(GPU_SERVER['slurm-partition']),
    ),
    account: await askUntil(
      ask,
      'The account that is charged (just Enter if your cluster has none): ',
      fits(GPU_SERVER['slurm-account']),
    ),
    setup: await ask(
      'What makes Apptainer available there, such as “module load apptainer” (just Enter for nothing): ',
    ),
  };
}

async function askCommand(ask: Ask) {
  const machine = await askUntil(
    ask,
    'The machine that gives the commands, for ssh (just Enter: a runner of yours with the label server): ',
    fits(GPU_SERVER['ssh-host']),
  );
  return {
    kind: 'command' as const,
    ssh: machine === '' ? undefined : await askSsh(ask, machine),
    start: await askUntil(ask, 'The command that switches it on: ', needed),
    stop: await askUntil(ask, 'The command that switches it off: ', needed),
    status: await askUntil(ask, 'The command that prints “running” or “stopped”: ', needed),
  };
}

async function askEc2(ask: Ask) {
  return {
    kind: 'ec2' as const,
    region: await askUntil(ask, 'The region (eu-central-1): ', (text) =>
      /^[a-z]{2}(-[a-z]+)+-\d+$/.test(text) ? undefined : 'a region such as eu-central-1',
    ),
    role: await askUntil(ask, 'The ARN of the role for GitHub (docs/gpu-server-ec2.md makes it): ', (text) =>
      /^arn:[\w-]+:iam::\d{12}:role\/\S+$/.test(text)
        ? undefined
        : 'it looks like arn:aws:iam::123456789012:role/diatoms',
    ),
    gpu: await askUntil(ask, 'Its GPU, such as T4, L4, A10G or L40S [L4]: ', fits(GPU_SERVER.gpu), 'L4'),
    group: await askUntil(ask, 'Its security group (just Enter: the default one of your account): ', (text) =>
      /^(sg-[0-9a-f]+)?$/.test(text) ? undefined : 'it looks like sg-0123456789abcdef0',
    ),
  };
}

async function askSsh(ask: Ask, machine: string): Promise<Ssh> {
  return {
    host: machine,
    user: await askUntil(ask, 'Your user name there: ', neededAnd(GPU_SERVER['ssh-user'])),
    hostKey: await askUntil(ask, `A line that “ssh-keyscan ${machine}” prints, without “#” before it: `, (line) =>
      /^[^#\s]\S* (ssh|ecdsa)-\S+ \S+/.test(line) ? undefined : 'it has three words: the machine, ssh-…, and the key',
    ),
  };
}

async function askChoice(ask: Ask, question: string, count: number): Promise<number> {
  const answer = await askUntil(ask, question, (text) =>
    /^\d$/.test(text) && Number(text) >= 1 && Number(text) <= count ? undefined : `a number from 1 to ${count}`,
  );
  return Number(answer);
}

/** Asks again, and says why, until an answer can be taken. Just Enter means `fallback`. */
async function askUntil(ask: Ask, question: string, whyNot: WhyNot, fallback = ''): Promise<string> {
  let text = question;
  for (;;) {
    const answer = (await ask(text)) || fallback;
    const why = whyNot(answer);
    if (why === undefined) return answer;
    text = `  That can’t be it: ${why}.\n${question}`;
  }
}

const needed: WhyNot = (answer) => (answer === '' ? 'it is needed' : undefined);

/** What the settings file takes for a key. */
function fits({ accepts, allowed }: Kind): WhyNot {
  return (answer) => (accepts(answer) ? undefined : `allowed is ${allowed}`);
}

function neededAnd(kind: Kind): WhyNot {
  return (answer) => needed(answer) ?? fits(kind)(answer);
}

function whyNoLabel(label: string): string | undefined {
  const reason = whyUnsafeName(label);
  return reason === undefined ? undefined : `it will be the name of a folder, and ${reason}`;
}

function whyNoServer(address: string): string | undefined {
  if (!/^https:\/\/\S+$/.test(address)) return 'it begins with https://, as your browser shows it';
  try {
    parseOwncloudAddress(address);
    return undefined;
  } catch (error) {
    return messageOf(error).replace(/\.$/, '');
  }
}
