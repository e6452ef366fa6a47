import { createHash, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseFileList } from '../dataset/file-list.ts';
import type { FileListEntry } from '../dataset/file-list-entry.ts';
import { N_TEST_ALLOWED, type NTest, parseNTest } from '../dataset/n-test.ts';
import { gatherZips } from '../dataset/one-zip.ts';
import type { PlanOptions } from '../dataset/plan-types.ts';
import { DiatomError } from '../errors.ts';
import type { OwncloudSettings } from '../owncloud/connect.ts';
import { decodedPath } from '../owncloud/remote-path.ts';
import {
  booleanInput,
  checkedInput,
  folderInput,
  invalidInput,
  oneOfInput,
  refuseClashes,
  safeNameInput,
  textInput,
  wholeNumberInput,
} from '../runner/inputs.ts';
import { mask, warn } from '../runner/log.ts';
import { owncloudInputs } from '../runner/owncloud-inputs.ts';
import { type SettingsRecord, settingsRecord, takeSettings } from '../runner/settings.ts';
import { BESIDE_INPUTS } from '../schema/beside-inputs.ts';
import { dataClashes, stableNeedsPercentage } from '../schema/clashes.ts';
import { DATA_SET_SETTINGS, PREPARE_DATA } from '../schema/prepare-data.ts';

/** Leaves room for date, time and ending, and for what the name of an unfinished upload has in addition. */
const MAX_PREFIX_BYTES = 200;

const OUTCOMES = ['success', 'failure', 'cancelled', 'skipped'] as const;

/** Where the archive goes on the server. */
export interface UploadInputs extends OwncloudSettings {
  /** Below the address, `''` for the top folder. */
  readonly folder: string;
  /** How many earlier archives stay; `undefined`: all. */
  readonly keepLast: number | undefined;
}

/** What `split: keep` takes the sides from. A path lies on the server, or in the workspace where there is none. */
export type PreviousInput = 'auto' | 'none' | { readonly path: string };

/** How another step of the job ended, in GitHub's words. */
export interface StepOutcome {
  readonly name: string;
  readonly outcome: (typeof OUTCOMES)[number];
}

/** The inputs of the action, checked. */
export interface Inputs {
  readonly mode: 'run' | 'dry-run' | 'check';
  /** Absolute path of the workspace. */
  readonly workspace: string;
  /** The entries of each zip together, with one address and name. */
  readonly fileList: readonly FileListEntry[];
  readonly nTest: NTest;
  readonly plan: PlanOptions;
  /** Whether the seed was given, and not drawn for this run. */
  readonly isSeedGiven: boolean;
  readonly previous: PreviousInput;
  /** Whether a data set is made even when nothing is new. */
  readonly force: boolean;
  /** What classes that have lost many images do to the run. */
  readonly shrink: 'warn' | 'error';
  /** What becomes of images that are no whole ones. */
  readonly brokenImages: 'leave-out' | 'keep' | 'error';
  /** Lower-case, without dots. */
  readonly imageExtensions: readonly string[];
  /** Absolute path. Whether it may be used is `openDataDir`'s matter. */
  readonly dataDir: string;
  readonly archiveContent: 'data' | 'results';
  readonly archivePrefix: string;
  readonly keepArchive: boolean;
  /** Whether the images are written to the data folder. */
  readonly keepData: boolean;
  /** Whether what is no longer needed is deleted while the run goes on. */
  readonly lowDisk: boolean;
  /** `undefined` when nothing is to be uploaded. */
  readonly upload: UploadInputs | undefined;
  /** Where the data set before lies; `undefined`: in the workspace. A dry run too looks there. */
  readonly server: UploadInputs | undefined;
  readonly concurrency: number;
  readonly cache: boolean;
  /** What other steps have checked. */
  readonly alsoChecked: readonly StepOutcome[];
  /** The gate that is looked at by a check; `''` for none. */
  readonly gate: string;
  /** What of it stands in a settings file. */
  readonly settings?: SettingsRecord | undefined;
  /** `''` when no artifact is wanted. */
  readonly artifactName: string;
  /** Whether the artifact holds the archive, too. */
  readonly archiveInArtifact: boolean;
}

/**
 * Reads and checks all inputs, and hides the secret ones from the log before anything else can show them.
 *
 * @throws DiatomError `INPUT` or `FILE_LIST`, naming the input, the value found and what is allowed
 */
export async function readInputs(env: NodeJS.ProcessEnv): Promise<Inputs> {
  takeSettings(PREPARE_DATA, BESIDE_INPUTS['prepare-data']);
  const workspace = resolve(env['GITHUB_WORKSPACE'] || '.');
  refuseClashes(dataClashes(textInput));
  // Both are read, so that a typing error in one is found whatever the other is.
  const [isCheck, isDryRun] = [booleanInput('check'), booleanInput('dry-run')];
  const mode = isCheck ? 'check' : isDryRun ? 'dry-run' : 'run';
  // A dry run uploads nothing, so that it needs no server either; what is set for one is read anyway.
  const mayUpload = booleanInput('upload');
  const upload = mayUpload && mode !== 'dry-run' ? uploadInputs() : undefined;
  const archivePrefix = archivePrefixInput();
  const [plan, previous] = [planInputs(env, archivePrefix), previousInput()];
  const reads = plan.split === 'keep' && previous !== 'none' && mayUpload && textInput('owncloud-url') !== '';
  const server = upload ?? (reads ? uploadInputs() : undefined);
  const inputs: Omit<Inputs, 'fileList'> = {
    mode,
    workspace,
    nTest: nTestInput(),
    plan,
    isSeedGiven: textInput('seed') !== '',
    previous,
    force: booleanInput('force'),
    shrink: oneOfInput('shrink', PREPARE_DATA.shrink.words),
    brokenImages: oneOfInput('broken-images', PREPARE_DATA['broken-images'].words),
    imageExtensions: imageExtensionsInput(),
    dataDir: resolve(workspace, textInput('data-dir') || 'data'),
    archiveContent: oneOfInput('archive-content', PREPARE_DATA['archive-content'].words),
    archivePrefix,
    keepArchive: booleanInput('keep-archive'),
    keepData: booleanInput('keep-data') && !booleanInput('low-disk'),
    lowDisk: booleanInput('low-disk'),
    upload,
    server,
    concurrency: wholeNumberInput('concurrency', PREPARE_DATA.concurrency) ?? 2,
    cache: booleanInput('cache'),
    alsoChecked: alsoCheckedInput(),
    gate: textInput('check-gate'),
    settings: settingsRecord(DATA_SET_SETTINGS),
    artifactName: safeNameInput('artifact-name', ''),
    archiveInArtifact: oneOfInput('artifact-content', PREPARE_DATA['artifact-content'].words) === 'archive',
  };
  const fileList = await fileListInput(workspace);
  requireSensibleSplit(inputs, fileList);
  return { ...inputs, fileList };
}

function alsoCheckedInput(): StepOutcome[] {
  const lines = textInput('check-also').split(/\r?\n/);
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const name = line.replace(/=[^=]*$/, '').trim();
      const ending = line.slice(line.lastIndexOf('=') + 1).trim();
      const outcome = OUTCOMES.find((known) => known === ending);
      if (line.includes('=') && name !== '' && outcome !== undefined) return { name, outcome };
      throw invalidInput('check-also', line, `a name, “=” and ${OUTCOMES.join(' or ')} on each line`);
    });
}

async function fileListInput(workspace: string): Promise<FileListEntry[]> {
  const text = textInput('file-list');
  const path = textInput('file-list-path');
  if ((text === '') === (path === '')) {
    const found = text === '' ? 'neither is set' : 'both are set';
    throw new DiatomError(
      'INPUT',
      `Inputs file-list and file-list-path: ${found}; set one of them. (A secret that does not exist, or that a pull request from a fork may not read, arrives empty.)`,
    );
  }
  const list =
    text === '' ? parseFileList(await readListFile(workspace, path), path) : parseFileList(text, 'input file-list');
  if (text.includes('\n')) {
    warn(
      'Input file-list has several lines. GitHub hides every line of a secret wherever it stands in a log, also “[” or “},”, so that logs become hard to read. Store the list as one line: npm start -- --pack my-list.csv prints it.',
    );
  }
  for (const { fileUrl } of list) {
    mask(fileUrl);
    // The form in which requests and their errors would name it, where the two differ.
    const url = new URL(fileUrl);
    mask(url.href);
    if (url.password === '') continue;
    mask(url.password);
    mask(decodedPath(url.password));
    [url.username, url.password] = ['', ''];
    mask(url.href);
  }
  return gatherZips(list);
}

async function readListFile(workspace: string, path: string): Promise<Buffer> {
  try {
    return await readFile(resolve(workspace, path));
  } catch (cause) {
    throw invalidInput('file-list-path', path, `the path of a file that exists, from ${workspace}`, { cause });
  }
}

function nTestInput(): NTest {
  const text = textInput('n-test');
  const nTest = parseNTest(text);
  if (nTest === undefined) throw invalidInput('n-test', text, N_TEST_ALLOWED);
  return nTest;
}

function previousInput(): PreviousInput {
  const text = textInput('previous');
  if (text === 'auto' || text === 'none') return text;
  if (text !== '') return { path: text };
  throw invalidInput('previous', text, 'auto, none, or the path of an archive, its sides file or a manifest');
}

/**
 * The seed of a run that was given none. Of the same run it is the same one, so that *Re-run all jobs* draws nothing again.
 */
function ownSeed(env: NodeJS.ProcessEnv, prefix: string): string {
  const [repository, runId] = [env['GITHUB_REPOSITORY'], env['GITHUB_RUN_ID']];
  if (!repository || !runId) return String(randomInt(2 ** 32));
  const digest = createHash('sha256').update(`${repository}\n${runId}\n${prefix}`).digest();
  return String(digest.readUInt32BE());
}

function planInputs(env: NodeJS.ProcessEnv, prefix: string): Inputs['plan'] {
  const split = oneOfInput('split', PREPARE_DATA.split.words);
  const seed = checkedInput('seed', PREPARE_DATA.seed);
  return {
    split,
    seed: seed || ownSeed(env, prefix),
    groupBy: groupByInput(),
    duplicates: oneOfInput('duplicates', PREPARE_DATA.duplicates.words),
    labelConflicts: oneOfInput('label-conflicts', PREPARE_DATA['label-conflicts'].words),
    nearDuplicates: oneOfInput('near-duplicates', PREPARE_DATA['near-duplicates'].words),
  };
}

function groupByInput(): RegExp | undefined {
  const text = textInput('group-by');
  if (text === '') return undefined;
  try {
    return new RegExp(text, 'u');
  } catch (cause) {
    throw invalidInput('group-by', text, 'a JavaScript regular expression, such as ^([^_]+)_', { cause });
  }
}

function imageExtensionsInput(): string[] {
  const kind = PREPARE_DATA['image-extensions'];
  const text = checkedInput('image-extensions', kind);
  const extensions = text
    .split(/[\s,]+/)
    .filter((word) => word !== '')
    .map((word) => word.replace(/^\./, '').toLowerCase());
  if (extensions.length === 0) throw invalidInput('image-extensions', text, kind.allowed);
  return [...new Set(extensions)];
}

function archivePrefixInput(): string {
  const prefix = safeNameInput('archive-prefix', 'diatom_set');
  if (Buffer.byteLength(prefix) <= MAX_PREFIX_BYTES) return prefix;
  throw invalidInput('archive-prefix', prefix, `a name of at most ${MAX_PREFIX_BYTES} bytes: date and time follow it`);
}

function uploadInputs(): UploadInputs {
  return {
    ...owncloudInputs(
      'the archive is to be uploaded. Set the server’s address, or upload: false to keep the archive in the workspace',
    ),
    folder: folderInput('owncloud-folder'),
    keepLast: wholeNumberInput('keep-last', PREPARE_DATA['keep-last']),
  };
}

/** A stable split of counts is found out before anything is downloaded. */
function requireSensibleSplit({ plan, nTest }: Omit<Inputs, 'fileList'>, fileList: readonly FileListEntry[]): void {
  if (plan.split !== 'stable') return;
  const count = fileList.map((entry) => entry.nTest ?? nTest).find(({ kind }) => kind === 'count');
  if (count?.kind !== 'count') return;
  throw new DiatomError('INPUT', `Input split: ${stableNeedsPercentage(count.count)}`);
}
