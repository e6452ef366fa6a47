import { rm } from 'node:fs/promises';
import type { ArchiveFacts } from '../archive/archive-writer.ts';
import { adviseOnClasses } from '../dataset/advice.ts';
import type { ClassChanges } from '../dataset/changes.ts';
import { plansAllAtOnce } from '../dataset/plan.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import { type ClassCount, createTally } from '../dataset/tally.ts';
import { DiatomError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import type { Remote } from '../owncloud/connect.ts';
import { requireUsableFolder } from '../owncloud/folder.ts';
import { uploadArtifact } from '../runner/artifact.ts';
import { group, info, warn } from '../runner/log.ts';
import { openDataDir } from './data-dir.ts';
import { type Downloads, startDownloads } from './download-zips.ts';
import { startFillThreads, threadsFor } from './fill-threads.ts';
import type { Inputs, UploadInputs } from './inputs.ts';
import { comparedImage } from './kept-sides.ts';
import { checkShrinking, createLine, type Line, logChanges } from './line.ts';
import { requireHoles } from './low-disk.ts';
import { createPlanning } from './plan-sources.ts';
import { type Selections, selectSources } from './sources.ts';
import { beginSending, type Delivery, deliver, type Sending } from './upload.ts';
import { type WrittenDataset, writeDataset } from './write-dataset.ts';

/** What a plan comes to. */
type Planned = Pick<WrittenDataset, 'classes' | 'leftOut' | 'warnings' | 'changes'>;

/** What a run did, for outputs and job summary. */
export interface Outcome {
  readonly seed: string;
  readonly classes: ReadonlyMap<string, ClassCount>;
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
  /** Of each class against the data set before, where sides are kept and there is one. */
  readonly changes: ReadonlyMap<string, ClassChanges> | undefined;
  readonly dataDir: string;
  /** `undefined` in a dry run. */
  readonly archive: ArchiveOutcome | undefined;
}

export interface ArchiveOutcome {
  readonly name: string;
  /** `undefined` when it was deleted after its upload. */
  readonly path: string | undefined;
  readonly facts: ArchiveFacts;
  readonly manifestPath: string;
  readonly reportPath: string;
  /** Of the file beside the archive with the sides of all images; `undefined` where they are not kept. */
  readonly sidesPath: string | undefined;
  /** `undefined` when nothing was to be uploaded. */
  readonly delivery: Delivery | undefined;
}

export interface RunContext {
  readonly http: HttpClient;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** The time of the run, which names the archive. */
  readonly now: Date;
  /** Called before the upload begins, so that what is there is known even when the upload fails. */
  readonly onArchived: (outcome: Outcome) => void;
}

/** The whole of the action, from checked inputs to a data set on the server. */
export async function prepare(inputs: Inputs, context: RunContext): Promise<Outcome> {
  const { upload, lowDisk } = inputs;
  // Signed in before anything is downloaded: a wrong password should show now, not in two hours.
  const remote = upload && (await group('Sign in', () => signIn({ upload, lowDisk }, context)));
  if (lowDisk) await requireHoles(inputs.workspace);
  const dataDir = await openDataDir(inputs.dataDir, inputs.workspace, { keepResults: inputs.mode === 'dry-run' });
  const line = inputs.plan.split === 'keep' ? createLine(undefined) : undefined;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const downloads = startDownloads(inputs, dataDir.downloads, { ...context, signal });
  let sending: Sending | undefined;
  /** An archive that is of no use to anybody when the run fails, as parts of it are gone. */
  let leftover: string | undefined;
  try {
    const selections = await group('Plan', () => select(downloads, inputs, line));
    const finish = ({ classes, leftOut, warnings, changes }: Planned, archive: ArchiveOutcome | undefined): Outcome => {
      const { seed } = inputs.plan;
      return {
        seed,
        classes,
        leftOut,
        changes,
        dataDir: dataDir.path,
        archive,
        warnings: [...warnings, ...adviseOnClasses(classes)],
      };
    };
    if (inputs.mode === 'dry-run') {
      for (const { begin } of downloads.zips) begin();
      return finish(await group('Download and plan', () => planOnly(selections, inputs, line)), undefined);
    }

    const written = await group('Download, organise and archive', () =>
      writeDataset(selections, {
        inputs,
        dataDir,
        context: { ...context, signal },
        line,
        downloads: downloads.all,
        onBegun: (archive) => {
          if (!remote || !upload) return;
          sending = beginSending(remote, upload, archive, signal);
          // With little disk the archive can't be finished without the server.
          if (!archive.saver) return;
          sending.result.catch((error: unknown) => stop.abort(error));
          leftover = archive.file.path;
        },
      }),
    );
    const { descriptions, ...archive } = written;
    logClasses(written.classes, inputs);
    logChanges(line);
    if (inputs.artifactName !== '') await uploadArtifact(inputs.artifactName, descriptions, dataDir.results);
    const archived = finish(written, { ...archive, delivery: undefined });
    const begun = sending;
    if (!upload || !remote || !begun) return archived;
    context.onArchived(archived);
    const delivery = await group('Upload', () => deliver(remote, upload, archive, inputs, { sending: begun, signal }));
    return finish(written, { ...archive, path: delivery.archiveKept ? archive.path : undefined, delivery });
  } catch (failure) {
    // Of several things that end with one failure, the upload's comes first: it has ended the others.
    const error = lowDisk && sending && signal.aborted && !context.signal.aborted ? stop.signal.reason : failure;
    // What is still under way is in vain, and has to tidy up before the run ends.
    stop.abort(error);
    if (leftover !== undefined) await rm(leftover, { force: true });
    throw error;
  } finally {
    await Promise.allSettled([downloads.all, sending?.result]);
  }
}

async function signIn(
  { upload, lowDisk }: { readonly upload: UploadInputs; readonly lowDisk: boolean },
  { http, signal }: RunContext,
): Promise<Remote> {
  // Loaded when it is needed: the library for WebDAV is a good part of the time that the action takes to start.
  const { connect } = await import('../owncloud/connect.ts');
  const remote = await connect(upload, { http, signal, onWarning: warn });
  requireUsableFolder(remote, upload.folder);
  if (lowDisk && !remote.chunking) {
    throw new DiatomError(
      'INPUT',
      `Input low-disk is true, but ${remote.description} does not take a file in pieces, so the whole archive has to be here first. Set keep-data: false instead.`,
    );
  }
  info(`Signed in: ${remote.description}.`);
  return remote;
}

async function select(downloads: Downloads, inputs: Inputs, line: Line | undefined): Promise<Selections> {
  const keepImages = plansAllAtOnce(
    inputs.fileList.map(({ downloadedFileName: zipName, nTest }) => ({ zipName, nTest: nTest ?? inputs.nTest })),
    inputs.plan,
  );
  const selections = await selectSources(inputs.fileList, downloads.zips, { ...inputs, keepImages, line });
  const images = selections.sources.reduce((sum, { imageCount }) => sum + imageCount, 0);
  info(`Seed ${inputs.plan.seed}, ${images} images in ${selections.sources.length} zips.`);
  const shrunk = checkShrinking(line, inputs.shrink);
  return { ...selections, warnings: [...selections.warnings, ...shrunk] };
}

/** Finds out which side every image goes to, and puts none there. */
async function planOnly(selections: Selections, inputs: Inputs, line: Line | undefined): Promise<Planned> {
  const threads = startFillThreads('', threadsFor('copying'));
  try {
    const planning = await createPlanning(selections, inputs.plan, threads, line?.known);
    const tally = createTally();
    const leftOut = [...selections.leftOut];
    for await (const { planned } of planning.sources()) {
      for (const image of planned.images) tally.add(image);
      for (const image of planned.images) line?.comparison?.add(comparedImage(image));
      leftOut.push(...planned.leftOut);
    }
    const classes = tally.classes();
    line?.comparison?.rest();
    logClasses(classes, inputs);
    logChanges(line);
    const changes = line?.comparison?.classes();
    return { classes, leftOut, changes, warnings: [...selections.warnings, ...planning.warnings()] };
  } finally {
    await threads.close();
  }
}

function logClasses(classes: ReadonlyMap<string, ClassCount>, inputs: Inputs): void {
  info(`Seed ${inputs.plan.seed}:`);
  for (const [label, { train, test }] of classes) info(`  ${label}: ${train} train, ${test} test`);
}
