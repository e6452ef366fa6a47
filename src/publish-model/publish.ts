import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../format.ts';
import { evaluateGate } from '../model/gate.ts';
import type { Remote } from '../owncloud/connect.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import type { ExpectedFile } from '../owncloud/verify-folder.ts';
import { downloadArtifact } from '../runner/download-artifact.ts';
import { group, info } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import { bringIn, tidied } from './bring-in.ts';
import { checkCandidate, classChange } from './checks.ts';
import type { Inputs, PublishTask } from './inputs.ts';
import { type LocalModel, readModelDir } from './model-dir.ts';
import type { ModelFolder } from './model-folder.ts';
import { describePlace, type Outcome } from './outcome.ts';
import { rollBack } from './roll-back.ts';
import { uploadVersion } from './upload-version.ts';
import { atWork, type Context, type Workplace } from './workplace.ts';

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
    evaluateGate(rules.gate, model.metrics, model.classes);
    for (const warning of model.warnings) onWarning(warning);
    const bytes = model.files.reduce((sum, file) => sum + file.bytes, 0);
    info(`${model.files.length} files, ${formatBytes(bytes)}, ${model.classes.length} classes.`);
    return { model, close };
  } catch (error) {
    await close();
    throw error;
  }
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
