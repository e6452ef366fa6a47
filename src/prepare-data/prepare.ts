import { rm } from 'node:fs/promises';
import type { ArchiveFacts } from '../archive/archive-writer.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { adviseOnClasses } from '../dataset/advice.ts';
import { type ClassCount, countClasses } from '../dataset/manifest.ts';
import { type Plan, planDataset } from '../dataset/plan.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import { DiatomError } from '../errors.ts';
import type { HttpClient } from '../http/client.ts';
import type { Remote } from '../owncloud/connect.ts';
import { requireUsableFolder } from '../owncloud/folder.ts';
import { uploadArtifact } from '../runner/artifact.ts';
import { group, info, warn } from '../runner/log.ts';
import { openDataDir } from './data-dir.ts';
import { type Downloads, startDownloads } from './download-zips.ts';
import type { Inputs, UploadInputs } from './inputs.ts';
import { requireHoles } from './low-disk.ts';
import { identifyContents, type Source, selectSources } from './sources.ts';
import { beginSending, type Delivery, deliver, type Sending } from './upload.ts';
import { writeDataset } from './write-dataset.ts';

/** What a run did, for outputs and job summary. */
export interface Outcome {
  readonly seed: string;
  readonly classes: ReadonlyMap<string, ClassCount>;
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
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
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const downloads = startDownloads(inputs, dataDir.downloads, { ...context, signal });
  let sending: Sending | undefined;
  /** An archive that is of no use to anybody when the run fails, as parts of it are gone. */
  let leftover: string | undefined;
  try {
    const { sources, plan, leftOut, warnings } = await group('Plan', () => makePlan(downloads, inputs, signal));
    const finish = (more: readonly string[], archive: ArchiveOutcome | undefined): Outcome => {
      const classes = countClasses(plan.images);
      const outcome = { seed: inputs.plan.seed, classes, leftOut, dataDir: dataDir.path, archive };
      return { ...outcome, warnings: [...warnings, ...more, ...adviseOnClasses(classes)] };
    };
    if (inputs.mode === 'dry-run') {
      for (const { begin } of downloads.zips) begin();
      await group('Download', () => downloads.all);
      return finish([], undefined);
    }

    const written = await group('Download, organise and archive', () =>
      writeDataset(plan, sources, {
        inputs,
        dataDir,
        leftOut,
        warnings,
        context: { ...context, signal },
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
    const { warnings: more, descriptions, ...archive } = written;
    if (inputs.artifactName !== '') await uploadArtifact(inputs.artifactName, descriptions, dataDir.results);
    const archived = finish(more, { ...archive, delivery: undefined });
    const begun = sending;
    if (!upload || !remote || !begun) return archived;
    context.onArchived(archived);
    const delivery = await group('Upload', () => deliver(remote, upload, archive, inputs, { sending: begun, signal }));
    return finish(more, { ...archive, path: delivery.archiveKept ? archive.path : undefined, delivery });
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

interface Planned {
  readonly sources: readonly Source[];
  readonly plan: Plan<ZipEntry>;
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
}

async function makePlan(downloads: Downloads, inputs: Inputs, signal: AbortSignal): Promise<Planned> {
  const { sources, leftOut, warnings } = await selectSources(inputs.fileList, downloads.zips, inputs);
  const plan = planDataset(sources, await identifyContents(sources, signal), inputs.plan);
  info(`Seed ${inputs.plan.seed}, ${plan.images.length} images:`);
  for (const [label, { train, test }] of countClasses(plan.images)) info(`  ${label}: ${train} train, ${test} test`);
  return { sources, plan, leftOut: [...leftOut, ...plan.leftOut], warnings: [...warnings, ...plan.warnings] };
}
