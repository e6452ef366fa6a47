import { SUMS_FILE } from '../model/model-folder.ts';
import { requireSpaceOnServer } from '../owncloud/free-space.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import type { ExpectedFile } from '../owncloud/verify-folder.ts';
import { allEnded } from '../parallel/all-ended.ts';
import { group, info } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import { checkCandidate, rulesFor } from './checks.ts';
import type { Context } from './context.ts';
import { fetchModel } from './fetch-model.ts';
import { findGpuUse } from './gpu-use.ts';
import type { Inputs, PublishTask, Task } from './inputs.ts';
import { putIntoProduction } from './into-production.ts';
import { judgeVersion } from './judge.ts';
import { keepRecord } from './keep-record.ts';
import { type LocalModel, textFile } from './local-model.ts';
import type { LockedFolder } from './locked-folder.ts';
import { judgedOutcome, type Outcome } from './outcome.ts';
import { rollBack } from './roll-back.ts';
import { stillThere } from './still-there.ts';
import { bringUnpublished, discardUnpublished, signInToUnpublished } from './unpublished-result.ts';
import { uploadVersion, type VersionUpload } from './upload-version.ts';
import { type GpuUse, judgementOf, type VersionRecord } from './version-record.ts';
import { withLockedFolder } from './with-locked-folder.ts';

/**
 * The whole of the action, from checked inputs to a model in production, or one that was kept out of it: then the
 * outcome's checks say why.
 */
export async function publish(inputs: Inputs, task: Task, context: Context): Promise<Outcome> {
  if (task.kind === 'roll-back')
    return withLockedFolder(inputs, context, (place) => rollBack(inputs, task, place, context));
  if (task.kind === 'judge')
    return withLockedFolder(inputs, context, (place) => judgeVersion(inputs, task, place, context));
  const { model, close } = await group('Check the model', () =>
    fetchModel({ ...task, modelName: inputs.modelName, about: inputs.about }, context, (from, folder) =>
      bringUnpublished(from, folder, inputs, context),
    ),
  );
  let isStored = false;
  const onStored = (outcome: Outcome) => {
    isStored = true;
    context.onStored(outcome);
  };
  const findUse = (signIn: () => Promise<Remote>) => findGpuUse(inputs, task.source, signIn, context);
  // Another account signs in meanwhile. A failure is heard where the answer is waited for.
  const early = inputs.training && findUse(() => signInToUnpublished(inputs, context));
  early?.catch(() => {});
  try {
    return await withLockedFolder(inputs, context, (place) => {
      const gpu = () => early ?? findUse(async () => place.remote);
      return publishVersion(inputs, { ...task, model, gpu }, place, { ...context, onStored });
    });
  } catch (error) {
    throw isStored ? error : stillThere(error, task);
  } finally {
    await close();
  }
}

async function publishVersion(
  inputs: Inputs,
  task: PublishTask & { readonly model: LocalModel; readonly gpu: () => Promise<GpuUse | undefined> },
  place: LockedFolder,
  context: Context,
): Promise<Outcome> {
  const { remote, folder, content, production, options } = place;
  const { version, rules, model } = task;
  const isThere = content.versions.includes(version);
  const checks = checkCandidate(model, production, rulesFor(version, production, rules));
  const judged = judgementOf(checks, rules, production, context.now());
  const prepare = async (): Promise<VersionRecord> => {
    const own = model.files.reduce((sum, { bytes }) => sum + bytes, 0);
    // Production is a copy of its own.
    const [bytes, text] = task.promote ? [2 * own, 'the version with its copy for production'] : [own, 'the version'];
    const [gpu] = await allEnded([task.gpu(), requireSpaceOnServer(remote, { folder, bytes, what: text }, options)]);
    return { format: 1, stored: judged.time, judged, promotions: [], ...(gpu && { gpu }) };
  };
  const preparing = isThere ? undefined : prepare();
  const what = { folder, version, model, record: preparing };
  const files = await group('Upload', () => uploadWithProgress(what, remote, options));
  info(`Stored: ${remote.fileUrl(`${folder}/${version}`)}/`);
  if (isThere) await keepRecord(place, version, (before) => ({ ...before, judged }));
  const { sha256, classes } = model;
  const own = [...model.files, textFile(SUMS_FILE, model.sums)];
  const record = await preparing;
  const gpu = record?.gpu;
  const stored = judgedOutcome(inputs, place, task, { sha256, classes, checks, model, files: own, gpu, record });
  context.onStored(stored);
  for (const { isWarning, passed, sentence } of checks.findings) if (isWarning && passed) context.onWarning(sentence);
  if (task.unpublished !== undefined) {
    const signIn = () => signInToUnpublished(inputs, context);
    await discardUnpublished(task.unpublished, { version, files, passed: checks.passed }, place, signIn);
  }
  if (!checks.passed) return stored;
  const outcome = task.promote ? await putIntoProduction(stored, files, place, context) : stored;
  return { ...outcome, mayTidy: true };
}

async function uploadWithProgress(
  what: VersionUpload,
  remote: Remote,
  options: RemoteOptions,
): Promise<ExpectedFile[]> {
  const progress = createProgress('Uploading');
  const onProgress = (done: number, total: number) => progress.update(done, total);
  try {
    return await uploadVersion(remote, { ...what, onProgress }, options);
  } finally {
    progress.end();
  }
}
