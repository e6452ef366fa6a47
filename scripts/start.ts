import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { messageOf } from '../src/errors.ts';
import { documentedMetadata, ROOT } from './action-metadata.ts';
import { type ActionResult, type RunActionOptions, startAction } from './run-action.ts';
import { createSample } from './sample/sample-zips.ts';
import { startFileServer } from './stand-ins/file-server.ts';
import { startOwncloudServer } from './stand-ins/owncloud-server.ts';
import { askPassword } from './start/ask-password.ts';
import { makeSettings } from './start/new.ts';
import { helpText, parseOptions, UsageError } from './start/options.ts';
import { callersFolder, type OwnSettings, readOwnSettings } from './start/own-settings.ts';
import { packFileList } from './start/pack.ts';
import type { Ask } from './start/questions.ts';

/** What the action also gets from the caller's environment when it works for a person: the way to the internet. */
const NETWORK_VARIABLES = ['http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];

/** Kept from run to run. */
const OWN_CACHE = join(ROOT, 'node_modules', '.cache', 'diatom-actions');

const NOT_CHECKED =
  '\nNot checked from here: the GPU server, the image and the runners. On GitHub, “Only check whether everything is ready” does.\n';

/** A run's inputs and where it happens. */
interface Prepared {
  readonly inputs: Record<string, string>;
  readonly workspace: string;
  /** Where downloads are kept for the next run; `undefined`: nowhere. */
  readonly toolCache: string | undefined;
  readonly isSample: boolean;
  /** Where the embedded ownCloud keeps its files, when it is used. */
  readonly owncloudDirectory?: string;
}

async function main(args: readonly string[]): Promise<number> {
  const metadata = documentedMetadata('prepare-data');
  const options = parseOptions(args, metadata.inputs);
  if (options.help) {
    process.stdout.write(helpText(metadata));
    return 0;
  }
  if (options.isNew) {
    process.stdout.write(await askThrough((ask) => makeSettings(callersFolder(), ask)));
    return 0;
  }
  if (options.pack !== undefined) {
    const { line, note } = await packFileList(resolve(callersFolder(), options.pack));
    process.stdout.write(`${line}\n`);
    process.stderr.write(`${note}\n`);
    return 0;
  }
  const { settings: path, 'file-list-path': ownList } = options.inputs;
  const settings = path === undefined ? undefined : readOwnSettings(path, ownList !== undefined);
  const password = await passwordFor({ ...settings?.data, ...options.inputs }, settings?.passwordVariable);
  if (password === undefined) return 130;
  if (settings !== undefined) return runSettings(settings, options.inputs, password);
  const servers: { close(): Promise<void> }[] = [];
  try {
    const given = { ...options.inputs, 'owncloud-password': password };
    const fileList = options.inputs['file-list-path'];
    const prepared = fileList === undefined ? await prepareSample(given, servers) : prepareOwn(given, fileList);
    const result = await run(prepared);
    if (result.exitCode === 0) process.stdout.write(farewell(prepared, result));
    return result.exitCode;
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** Answers come line by line, typed or from a pipe. */
async function askThrough<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
  const input = createInterface({ input: process.stdin, output: process.stdout });
  const lines = input[Symbol.asyncIterator]();
  try {
    return await work(async (question) => {
      process.stdout.write(question);
      const { value, done } = await lines.next();
      if (done) throw new UsageError('Nothing was written: the questions were not all answered.');
      return value.trim();
    });
  } finally {
    input.close();
  }
}

/** The password for a server that the person has named; `''` where none is needed. */
async function passwordFor(
  inputs: Readonly<Record<string, string>>,
  variable = 'OWNCLOUD_PASSWORD',
): Promise<string | undefined> {
  if (!inputs['owncloud-url'] || inputs['upload'] === 'false' || inputs['dry-run'] === 'true') return '';
  const known = process.env[variable];
  if (known !== undefined || !process.stdin.isTTY) return known ?? '';
  return askPassword('Password of the ownCloud (an app password is best; just Enter for a link without one): ');
}

/** A run as the workflows would do it; with `--check`, all that can be checked from here. */
async function runSettings(
  settings: OwnSettings,
  { settings: _, ...given }: Readonly<Record<string, string>>,
  password: string,
): Promise<number> {
  const prepared: Prepared = {
    inputs: {
      ...settings.fileList,
      ...given,
      settings: JSON.stringify(settings.data),
      'owncloud-password': password,
      'check-gate': settings.gate,
      ...(settings.data['owncloud-url'] || given['owncloud-url'] || given['upload'] ? {} : { upload: 'false' }),
    },
    workspace: callersFolder(),
    toolCache: OWN_CACHE,
    isSample: false,
  };
  if (given['check'] === 'true' && settings.refusedOnGithub !== undefined) {
    process.stdout.write(`On GitHub, these settings would be refused. ${settings.refusedOnGithub}\n\n`);
  }
  const result = await run(prepared);
  if (given['check'] === 'true') {
    const published = settings.publish === undefined ? 0 : await checkPublishing(settings.publish, prepared, password);
    process.stdout.write(NOT_CHECKED);
    return Math.max(result.exitCode, published);
  }
  if (result.exitCode === 0)
    process.stdout.write(farewell({ ...prepared, inputs: { ...settings.data, ...given } }, result));
  return result.exitCode;
}

async function checkPublishing(
  publish: Readonly<Record<string, string>>,
  prepared: Prepared,
  password: string,
): Promise<number> {
  process.stdout.write('\nPublishing\n');
  const inputs = { ...publish, 'owncloud-password': password, check: 'true' };
  const { exitCode } = await run({ ...prepared, inputs }, 'publish-model');
  return exitCode;
}

/** A run on the person's own images, in the folder that the person is in. */
function prepareOwn(given: Readonly<Record<string, string>>, fileList: string): Prepared {
  const workspace = callersFolder();
  const inputs: Record<string, string> = { ...given, 'file-list-path': resolve(workspace, fileList) };
  if (!given['owncloud-url'] && !given['upload']) {
    inputs['upload'] = 'false';
    process.stdout.write('Nothing will be uploaded, because no --owncloud-url is given.\n\n');
  }
  return { inputs, workspace, toolCache: OWN_CACHE, isSample: false };
}

/** A run on generated images, in `demo/`. The servers it needs are added to `servers`, for the caller to close. */
async function prepareSample(
  given: Readonly<Record<string, string>>,
  servers: { close(): Promise<void> }[],
): Promise<Prepared> {
  const workspace = join(ROOT, 'demo');
  process.stdout.write('Drawing a sample of diatom-like images …\n');
  const zips = join(workspace, 'zips');
  const sample = await createSample(zips);
  const files = await startFileServer(zips);
  servers.push(files);
  const list = join(workspace, 'file-list.json');
  await writeFile(list, `${JSON.stringify(sample.fileList(files.url), undefined, 2)}\n`);
  const inputs = { 'n-test': '10', seed: 'demo', ...given, 'file-list-path': list };
  // The server's port, and so every address, is another in every run: a cache would never be of use.
  const prepared = { inputs, workspace, toolCache: undefined, isSample: true };
  if (given['owncloud-url'] || given['upload'] === 'false') return prepared;

  const owncloudDirectory = join(workspace, 'owncloud');
  await mkdir(owncloudDirectory, { recursive: true });
  const login = { username: 'diatom', password: 'demo' };
  const owncloud = await startOwncloudServer({ directory: owncloudDirectory, ...login });
  servers.push(owncloud);
  process.stdout.write(`The zips are served at ${files.url}, a stand-in for ownCloud answers at ${owncloud.url}\n\n`);
  const owncloudInputs = {
    'owncloud-url': owncloud.url,
    'owncloud-username': login.username,
    'owncloud-password': login.password,
  };
  return { ...prepared, inputs: { 'owncloud-folder': 'diatoms', ...inputs, ...owncloudInputs }, owncloudDirectory };
}

async function run(
  { inputs, workspace, toolCache }: Prepared,
  name: RunActionOptions['action'] = 'prepare-data',
): Promise<ActionResult> {
  const action: RunActionOptions = {
    action: name,
    inputs,
    workspace,
    inheritStderr: true,
    onOutput: (text) => process.stdout.write(withoutCommands(text)),
    env: {
      ...networkVariables(),
      // A person reads: no commands for a runner, and a bar for progress.
      CI: undefined,
      GITHUB_ACTIONS: undefined,
      RUNNER_TOOL_CACHE: toolCache,
    },
  };
  const running = startAction(action);
  // Ctrl-C reaches the action as well, which cleans up and ends; this process waits for it.
  const forward = (signal: NodeJS.Signals): void => running.kill(signal);
  const wait = (): void => {};
  process.on('SIGINT', wait).on('SIGTERM', forward);
  return running.result.finally(() => process.off('SIGINT', wait).off('SIGTERM', forward));
}

/** The lines for a person: @actions/tool-cache also writes debug commands, which only a runner understands. */
function withoutCommands(text: string): string {
  return text.replaceAll(/^::debug::.*\r?\n/gm, '');
}

function networkVariables(): Record<string, string | undefined> {
  const names = NETWORK_VARIABLES.flatMap((name) => [name, name.toUpperCase()]);
  return Object.fromEntries(names.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
}

/** Where everything is, and what comes next. */
function farewell({ owncloudDirectory, isSample, inputs }: Prepared, { outputs }: ActionResult): string {
  const data = outputs['data-dir'];
  if (!data || inputs['check'] === 'true') return '';
  const counts = `${outputs['train-count']} images to train with, ${outputs['test-count']} to test with (seed ${outputs['seed']})`;
  if (inputs['dry-run'] === 'true') return `\nA dry run: there would be ${counts}.\n`;
  const uploaded = owncloudDirectory
    ? join(owncloudDirectory, inputs['owncloud-folder'] ?? '', outputs['archive-name'] ?? '')
    : outputs['archive-url'];
  const places: [string, string | undefined][] = [
    ['Report', join(data, 'results', 'report.html')],
    ['Images', join(data, 'results')],
    ['Manifest', outputs['manifest-path']],
    ['Archive', outputs['archive-path']],
    ['Uploaded', uploaded],
  ];
  return [
    '',
    `Done: ${counts}.`,
    '',
    ...places.flatMap(([name, place]) => (place ? [`  ${name.padEnd(10)}${place}`] : [])),
    '',
    'Next',
    '  Look at the report: open it in a browser.',
    ...(isSample
      ? ['  Your own images:  npm start -- --file-list my-list.csv      (README.md says what it holds)']
      : []),
    ...(isSample ? ['  All options:      npm start -- --help'] : []),
    '  On GitHub:        npm start -- --new                             (docs/from-zero.md leads through it)',
    '',
  ].join('\n');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof UsageError ? error.message : `Error: ${messageOf(error)}`}\n`);
  process.exitCode = 2;
}
