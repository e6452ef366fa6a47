import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiatomError, messageOf } from '../errors.ts';
import { formatBytes, formatDuration } from '../format.ts';
import type { HttpClient } from '../http/client.ts';
import type { RetryPolicy } from '../http/retry.ts';
import { connect, type Remote } from '../owncloud/connect.ts';
import { listFolder } from '../owncloud/list-folder.ts';
import { type Lock, takeLock } from '../owncloud/lock.ts';
import { moveFolder } from '../owncloud/move-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { type ExpectedFile, verifyFolder } from '../owncloud/verify-folder.ts';
import { downloadArtifact } from '../runner/download-artifact.ts';
import { group, info } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import { type Checks, checkCandidate, checkClasses, classChange, refusalLines } from './checks.ts';
import { evaluateGate } from './gate.ts';
import type { Inputs, PublishTask, RollBackTask } from './inputs.ts';
import { digestText, type LocalModel, readModelDir } from './model-dir.ts';
import { LOCK, type ModelFolder, PRODUCTION, SUMS_FILE, sortOut, VERSION_FILE, WEIGHTS_FILE } from './model-folder.ts';
import { type PublishedModel, readPublished } from './production.ts';
import { promote } from './promote.ts';
import { parseSums } from './sums.ts';
import { removeOlderCopies, removeOldVersions, removeUnfinished } from './tidy.ts';
import { uploadVersion } from './upload-version.ts';

/** What a run did, for outputs and job summary. */
export interface Outcome {
  readonly kind: 'publish' | 'roll-back';
  readonly modelName: string;
  readonly version: string;
  /** The version's WebDAV address. */
  readonly url: string;
  /** The page of the model's folder, when the server has one. */
  readonly page: string | undefined;
  /** The model's folder. */
  readonly folder: string;
  /** For people: the server. */
  readonly server: string;
  /** Of the weights. */
  readonly sha256: string;
  readonly checks: Checks;
  /** What the figures of the version are; `undefined` for an old one that has none that can be read. */
  readonly model: Pick<LocalModel, 'metrics' | 'comparison'> | undefined;
  /** What was in production before the run; `undefined` when nothing was. */
  readonly production: PublishedModel | undefined;
  /** Whether the version is in production now. */
  readonly promoted: boolean;
  /** Whether it should have been. */
  readonly promotionWanted: boolean;
  /** The folder that keeps what was replaced. */
  readonly replaced: string | undefined;
  /** Whether a roll-back from here changes the classes. */
  readonly classesDiffer: boolean;
  /** Versions that `keep-versions` deleted. */
  readonly removed: readonly string[];
}

/** How long runs wait for each other; see `takeLock`. Milliseconds. */
export interface Patience {
  readonly staleMs: number;
  readonly waitMs: number;
  readonly pollMs: number;
}

/** Publishing takes minutes, so a run that holds the folder for two hours is over, however it ended. */
export const PATIENCE: Patience = { staleMs: 2 * 3_600_000, waitMs: 15 * 60_000, pollMs: 10_000 };

export interface Context {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly now: () => Date;
  readonly onWarning: (message: string) => void;
  /** Called when the version is stored, before anything becomes of it. */
  readonly onStored: (outcome: Outcome) => void;
  readonly patience: Patience;
  readonly policy?: RetryPolicy | undefined;
}

/** The model's folder, opened for this run alone. */
interface Workplace {
  readonly remote: Remote;
  readonly folder: string;
  readonly content: ModelFolder;
  readonly production: PublishedModel | undefined;
  readonly lock: Lock;
  readonly options: RemoteOptions;
}

/**
 * The whole of the action, from checked inputs to a model in production, or one that was kept out of it: then the
 * outcome's checks say why.
 */
export async function publish(inputs: Inputs, context: Context): Promise<Outcome> {
  const { task } = inputs;
  if (task.kind === 'roll-back') return atWork(inputs, context, (place) => rollBack(inputs, task, place, context));
  const { model, close } = await group('Check the model', () => readModel(inputs, task, context));
  try {
    return await atWork(inputs, context, (place) => publishVersion(inputs, task, model, place, context));
  } finally {
    await close();
  }
}

async function readModel({ modelName }: Inputs, { source, rules }: PublishTask, context: Context) {
  const { signal, env, onWarning } = context;
  let folder: string;
  let close = async () => {};
  if ('folder' in source) folder = source.folder;
  else {
    const own = await mkdtemp(join(env['RUNNER_TEMP'] || tmpdir(), 'model-'));
    folder = own;
    close = () => rm(own, { recursive: true, force: true });
  }
  try {
    if ('artifact' in source) await downloadArtifact(source.artifact, folder);
    const model = await readModelDir(folder, modelName, signal);
    // A gate that asks for a class the model does not have should show before anything is uploaded.
    evaluateGate(rules.gate, model.metrics);
    for (const warning of model.warnings) onWarning(warning);
    const bytes = model.files.reduce((sum, file) => sum + file.bytes, 0);
    info(`${model.files.length} files, ${formatBytes(bytes)}, ${model.classes.length} classes.`);
    return { model, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Signs in, takes the lock, repairs and tidies up what a run before left unfinished, and gives the lock back in the end. */
async function atWork(
  inputs: Inputs,
  context: Context,
  work: (place: Workplace) => Promise<Outcome>,
): Promise<Outcome> {
  const { modelsFolder, modelName, task, owncloud } = inputs;
  const { http, signal, policy, onWarning, patience, now, env } = context;
  const folder = `${modelsFolder}/${modelName}`;
  const options: RemoteOptions = {
    signal,
    policy,
    onWarning,
    onRetry: ({ attempt, tries, waitMs, error }) =>
      info(`Try ${attempt} of ${tries} failed, the next in ${formatDuration(waitMs / 1_000)}: ${messageOf(error)}`),
  };
  const remote = await group('Sign in', async () => {
    const signedIn = await connect(owncloud, { http, signal, policy, onWarning });
    info(`Signed in: ${signedIn.description}.`);
    return signedIn;
  });
  if (remote.access !== 'full') {
    throw new DiatomError(
      'INPUT',
      `Input owncloud-url is a public link that does not allow renaming and deleting, which publishing needs: give a user name and an app password, or share the folder anew with all permissions.`,
    );
  }
  if (task.kind === 'roll-back') await requireModel(remote, modelsFolder, modelName, options);
  const request = { folder: `${folder}/${LOCK}`, owner: ownerOf(env), ...patience, now, onWait: info };
  const lock = await takeLock(remote, request, options);
  try {
    const content = await repaired(remote, folder, options);
    const production = content.hasProduction
      ? await readPublished(remote, `${folder}/${PRODUCTION}`, options)
      : undefined;
    return await work({ remote, folder, content, production, lock, options });
  } finally {
    await lock.release();
  }
}

/** A roll-back of a misspelt model should not make a folder for it. */
async function requireModel(remote: Remote, models: string, name: string, options: RemoteOptions): Promise<void> {
  const entries = (await listFolder(remote, models, options)) ?? [];
  if (entries.some((entry) => entry.name === name && entry.type === 'directory')) return;
  const names = entries.filter(({ type }) => type === 'directory').map((entry) => entry.name);
  throw new DiatomError(
    'INPUT',
    `Input model-name: there is no model “${name}” in the folder “${models}” at ${remote.rootUrl.host}; there is ${names.sort().join(', ') || 'none at all'}.`,
  );
}

/** What is in the model's folder, after production was put back if a run ended between the two renames of a promotion. */
async function repaired(remote: Remote, folder: string, options: RemoteOptions): Promise<ModelFolder> {
  const content = sortOut((await listFolder(remote, folder, options)) ?? []);
  const [newest] = content.previous;
  if (!content.hasProduction && newest !== undefined) {
    await moveFolder(remote, `${folder}/${newest}`, `${folder}/${PRODUCTION}`, options);
    options.onWarning?.(
      `There was no folder “${folder}/${PRODUCTION}”, because an earlier run ended in the middle of a promotion: what was in it has been put back from “${newest}”.`,
    );
    return repaired(remote, folder, options);
  }
  await removeUnfinished(remote, folder, content.unfinished, options);
  return content;
}

async function publishVersion(
  inputs: Inputs,
  task: PublishTask,
  model: LocalModel,
  place: Workplace,
  context: Context,
): Promise<Outcome> {
  const { remote, folder, content, production, options } = place;
  const { version, rules } = task;
  const files = await group('Upload', () => uploadWithProgress({ folder, version, model, content }, remote, options));
  info(`Stored: ${remote.fileUrl(`${folder}/${version}`)}/`);
  const checks = checkCandidate(model, production, rules);
  const stored: Outcome = {
    ...describePlace(inputs, place, version),
    kind: 'publish',
    sha256: model.sha256,
    checks,
    model,
    promotionWanted: task.promote,
    classesDiffer: production !== undefined && classChange(model.classes, production) !== undefined,
  };
  context.onStored(stored);
  if (!checks.passed) return stored;
  const outcome = task.promote ? await bringIn(stored, files, place, context) : stored;
  return tidied(outcome, inputs, place);
}

async function rollBack(inputs: Inputs, task: RollBackTask, place: Workplace, context: Context): Promise<Outcome> {
  const { remote, folder, production, options } = place;
  const version = await versionToRollBackTo(task, place);
  const source = `${folder}/${version}`;
  const text = await readText(remote, remotePath(source, SUMS_FILE), options);
  if (text === undefined) {
    throw new DiatomError(
      'INPUT',
      `Input roll-back-to: “${source}” at ${remote.rootUrl.host} is no whole version: it has no ${SUMS_FILE}.`,
    );
  }
  const sums = parseSums(text, `${source}/${SUMS_FILE}`);
  const weights = sums.find(({ name }) => name === WEIGHTS_FILE);
  const { classes, metrics } = await readPublished(remote, source, options);
  if (!weights || !classes) {
    throw new DiatomError(
      'MODEL',
      `The version “${source}” at ${remote.rootUrl.host} can’t be put into production: it has no ${weights ? 'list of classes that can be read' : WEIGHTS_FILE}.`,
    );
  }
  const finding = checkClasses(classes, production, task.allowClassChange);
  const outcome: Outcome = {
    ...describePlace(inputs, place, version),
    kind: 'roll-back',
    sha256: weights.sha256,
    checks: { verdicts: [], findings: [finding], passed: finding.passed },
    model: metrics && { metrics, comparison: undefined },
    promotionWanted: true,
    classesDiffer: production !== undefined && classChange(classes, production) !== undefined,
  };
  context.onStored(outcome);
  if (!finding.passed) return outcome;
  return tidied(await bringIn(outcome, [...sums, digestText(SUMS_FILE, text)], place, context), inputs, place);
}

async function versionToRollBackTo({ to }: RollBackTask, place: Workplace): Promise<string> {
  const { remote, folder, content } = place;
  const version = to === 'previous' ? await previousVersion(place) : to;
  if (version !== undefined && content.versions.includes(version)) return version;
  const there = `At ${remote.rootUrl.host} there are ${content.versions.join(', ') || 'no versions'}.`;
  if (version !== undefined) {
    const asked = to === 'previous' ? `the version before, ${version},` : `the version ${version}`;
    throw new DiatomError('INPUT', `Input roll-back-to: ${asked} is not in “${folder}”. ${there}`);
  }
  const [copy] = content.previous;
  const advice = copy
    ? `what was in production before has no ${VERSION_FILE} file; to put it back by hand, rename “${PRODUCTION}” to another name and “${copy}” to “${PRODUCTION}”`
    : 'production has replaced nothing so far';
  throw new DiatomError('INPUT', `Input roll-back-to is previous, but ${advice}. ${there}`);
}

/** The version that production replaced last. */
async function previousVersion({ remote, folder, content, options }: Workplace): Promise<string | undefined> {
  const [copy] = content.previous;
  if (copy === undefined) return undefined;
  return (await readText(remote, remotePath(`${folder}/${copy}`, VERSION_FILE), options))?.trim() || undefined;
}

/** Promotes, unless production is that version already and whole: then there is nothing to do, and nothing to replace. */
async function bringIn(
  outcome: Outcome,
  files: readonly ExpectedFile[],
  place: Workplace,
  { now }: Context,
): Promise<Outcome> {
  const { remote, folder, production, lock, options } = place;
  const { version } = outcome;
  if (production?.version === version && (await isWhole(files, place))) {
    info(`${version} is in production already.`);
    return { ...outcome, promoted: true };
  }
  const replaced = await group('Promote', () => promote(remote, { folder, version, files, lock, now }, options));
  info(`${version} is in production now.`);
  return { ...outcome, promoted: true, replaced };
}

async function isWhole(files: readonly ExpectedFile[], { remote, folder, options }: Workplace): Promise<boolean> {
  return verifyFolder(remote, `${folder}/${PRODUCTION}`, files, options).then(
    () => true,
    (error: unknown) => {
      options.onWarning?.(`${messageOf(error)} Production is made anew.`);
      return false;
    },
  );
}

/** Deletes what nobody needs any more. Whatever goes wrong here is a warning: the model is where it should be. */
async function tidied(outcome: Outcome, { keepVersions }: Inputs, place: Workplace): Promise<Outcome> {
  const { remote, folder, production, options } = place;
  try {
    if (outcome.replaced !== undefined) await removeOlderCopies(remote, folder, outcome.replaced, options);
    if (keepVersions === undefined) return outcome;
    const before = outcome.replaced === undefined ? await previousVersion(place) : undefined;
    const spared = [outcome.version, production?.version, before].filter((name) => name !== undefined);
    const removed = await removeOldVersions(remote, { folder, keep: keepVersions, spared }, options);
    return { ...outcome, removed };
  } catch (error) {
    options.onWarning?.(`Older versions and copies could not be deleted: ${messageOf(error)}`);
    return outcome;
  }
}

function describePlace({ modelName }: Inputs, { remote, folder, production }: Workplace, version: string) {
  return {
    modelName,
    version,
    url: `${remote.fileUrl(`${folder}/${version}`)}/`,
    page: remote.folderPage(folder),
    folder,
    server: remote.description,
    production,
    promoted: false,
    replaced: undefined,
    removed: [],
  };
}

/** Why the version was not promoted, for the end of a red run; `undefined` when nothing kept it out. */
export function refusalOf({ checks, production, version, kind, url }: Outcome): string | undefined {
  if (checks.passed) return undefined;
  const lines = refusalLines(checks, production).map((line) => `- ${line}`);
  if (kind === 'roll-back') return [`The version ${version} was not put into production:`, ...lines].join('\n');
  return [
    `The model was not promoted; production is as it was. The version ${version} is kept at ${url}.`,
    ...lines,
    `A person who decides otherwise can promote it without training again: run with roll-back-to: ${version}.`,
  ].join('\n');
}

/** Who holds the lock, for people: the address of the run. */
function ownerOf(env: NodeJS.ProcessEnv): string {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  return server && repository && run
    ? `${server}/${repository}/actions/runs/${run}`
    : `a run outside of GitHub, process ${process.pid}`;
}

async function uploadWithProgress(
  what: { folder: string; version: string; model: LocalModel; content: ModelFolder },
  remote: Remote,
  options: RemoteOptions,
): Promise<ExpectedFile[]> {
  const { folder, version, model, content } = what;
  const progress = createProgress('Uploading');
  try {
    return await uploadVersion(
      remote,
      {
        folder,
        version,
        model,
        isThere: content.versions.includes(version),
        onProgress: (done, total) => progress.update(done, total),
      },
      options,
    );
  } finally {
    progress.end();
  }
}
