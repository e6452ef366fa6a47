import { join } from 'node:path';
import { plansAllAtOnce } from '../dataset/plan.ts';
import { createTally } from '../dataset/tally.ts';
import { formatBytes } from '../format.ts';
import { requireSpaceOnServer } from '../owncloud/free-space.ts';
import { group, info, warn } from '../runner/log.ts';
import { beginSending, type Sending } from './deliver-archive.ts';
import { archiveBytes, sizesOf } from './disk-space.ts';
import { type Downloads, startDownloads } from './download-zips.ts';
import { startFillPool, threadsFor } from './fill-pool.ts';
import { finishDataset, logClasses, outcomeOf, type Planned } from './finish-dataset.ts';
import type { Inputs } from './inputs.ts';
import { comparedImage } from './kept-sides.ts';
import { checkShrinking, createLine, type Line, logChanges } from './line.ts';
import { removeArchive } from './local-archive.ts';
import { createLooks } from './looks.ts';
import type { MakeRun } from './make-run.ts';
import type { Outcome } from './outcome.ts';
import { createPlanning } from './plan-sources.ts';
import { type Selections, selectSources } from './sources.ts';
import { type BegunArchive, writeDataset } from './write-dataset.ts';

/** Makes the data set, or in a dry run its plan, and brings it to the server. */
export async function makeDataset(run: MakeRun): Promise<Outcome> {
  const { context, dataDir, here } = run;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const inputs = inputsOf(run);
  const line = inputs.plan.split === 'keep' ? createLine(run.previous.base) : undefined;
  const downloads = startDownloads(inputs, dataDir.downloads, { ...context, signal }, here);
  let sending: Sending | undefined;
  /** An archive that is of no use to anybody when the run fails, as parts of it are gone. */
  let leftover: string | undefined;
  const send = (archive: BegunArchive): Sending | undefined => {
    sending = beginSendingOf({ ...run, inputs }, archive, signal);
    // With little disk the archive can't be finished without the server.
    if (!sending || !archive.saver) return sending;
    sending.result.catch((error: unknown) => stop.abort(error));
    leftover = join(inputs.workspace, archive.name);
    return sending;
  };
  try {
    const selections = await group('Plan', () => select(downloads, inputs, line));
    if (inputs.mode === 'dry-run') {
      for (const { begin } of downloads.zips) begin();
      const planned = await group('Download and plan', () => planOnly(selections, inputs, line));
      return outcomeOf(run, planned, {});
    }
    if (!run.same) await requireRoom(selections, run, signal);
    let begun: BegunArchive | undefined;
    const onBegun = (archive: BegunArchive) => {
      begun = archive;
      // What turns out to be the last archive again is not uploaded.
      if (!run.same) send(archive);
    };
    const written = await group('Download, organise and archive', () =>
      writeDataset(selections, {
        inputs,
        dataDir,
        context: { ...context, signal },
        line,
        downloads: downloads.all,
        onBegun,
      }),
    );
    const zips = await Promise.all(downloads.zips.map(({ file }) => file));
    return await finishDataset({
      ...run,
      inputs,
      signal,
      written,
      zips,
      send: () => sending ?? (begun && send(begun)),
    });
  } catch (failure) {
    // Of several things that end with one failure, the upload's comes first: it has ended the others.
    const isUploads = inputs.lowDisk && sending && signal.aborted && !context.signal.aborted;
    const error = isUploads ? stop.signal.reason : failure;
    // What is still under way is of no use any more, and has to tidy up before the run ends.
    stop.abort(error);
    if (leftover !== undefined) await removeArchive(leftover);
    throw error;
  } finally {
    await Promise.allSettled([downloads.all, sending?.result]);
  }
}

/** What was planned is to be the same again where only the folder is to be filled. */
function inputsOf({ inputs, same }: MakeRun): Inputs {
  const { plan } = inputs;
  return { ...inputs, plan: { ...plan, seed: same?.record.seed ?? plan.seed } };
}

function beginSendingOf(
  { remote, inputs, previous }: MakeRun,
  archive: BegunArchive,
  signal: AbortSignal,
): Sending | undefined {
  const { upload, archivePrefix: prefix, plan } = inputs;
  if (!remote || !upload) return undefined;
  const line = plan.split === 'keep' && previous.folder ? { prefix, before: previous.folder } : undefined;
  return beginSending(remote, { folder: upload.folder, line }, archive, signal);
}

async function select(downloads: Downloads, inputs: Inputs, line: Line | undefined): Promise<Selections> {
  const keepImages = plansAllAtOnce(
    inputs.fileList.map(({ downloadedFileName: zipName, nTest }) => ({ zipName, nTest: nTest ?? inputs.nTest })),
    inputs.plan,
  );
  const selections = await selectSources(inputs.fileList, downloads.zips, { ...inputs, keepImages, line });
  const images = selections.sources.reduce((sum, { imageCount }) => sum + imageCount, 0);
  const zips = selections.sources.filter(({ isLastOfZip }) => isLastOfZip).length;
  info(`Seed ${inputs.plan.seed}, ${images} images in ${zips} zips.`);
  const shrunk = checkShrinking(line, inputs.shrink);
  return { ...selections, warnings: [...selections.warnings, ...shrunk] };
}

/** Images that are compressed are in the archive as they are; of others nobody knows how small they get. */
async function requireRoom({ sources }: Selections, { inputs, remote }: MakeRun, signal: AbortSignal): Promise<void> {
  const { upload } = inputs;
  if (!remote || !upload) return;
  const most = archiveBytes(sizesOf(sources), inputs);
  const bytes = sources.reduce((least, { looseBytes }) => least - looseBytes, most);
  const free = await requireSpaceOnServer(remote, { folder: upload.folder, bytes, what: 'the archive' }, { signal });
  if (free !== undefined && free < most) {
    warn(
      `${remote.description} has ${formatBytes(free)} left for this account: less than the ${formatBytes(most)} that the archive takes if its images don’t get smaller.`,
    );
  }
}

/** Finds out which side every image goes to, and puts none there. */
async function planOnly(selections: Selections, inputs: Inputs, line: Line | undefined): Promise<Planned> {
  const threads = startFillPool('', threadsFor('copying'));
  const looks = createLooks();
  try {
    const planning = await createPlanning(selections, inputs.plan, { threads, looks }, line?.known);
    const tally = createTally();
    const leftOut = [...selections.leftOut];
    for await (const { planned } of planning.sources()) {
      for (const image of planned.images) {
        tally.add(image);
        line?.comparison?.add(comparedImage(image));
      }
      leftOut.push(...planned.leftOut);
    }
    const classes = tally.classes();
    line?.comparison?.rest();
    const changes = line?.comparison?.classes();
    logClasses(classes, inputs);
    logChanges(changes);
    return { classes, leftOut, changes, warnings: [...selections.warnings, ...planning.warnings()] };
  } finally {
    await threads.close();
    await looks.close();
  }
}
