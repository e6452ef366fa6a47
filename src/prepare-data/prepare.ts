import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveFacts, type ArchiveWriter, createArchive } from '../archive/archive-writer.ts';
import { diskFailure } from '../archive/disk-failure.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { adviseOnClasses } from '../dataset/advice.ts';
import { type ClassCount, countClasses, datasetJson, manifestCsv } from '../dataset/manifest.ts';
import { type Plan, planDataset } from '../dataset/plan.ts';
import { reportHtml } from '../dataset/report.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import { formatBytes } from '../format.ts';
import type { HttpClient } from '../http/client.ts';
import { connect, type Remote } from '../owncloud/connect.ts';
import { uploadArtifact } from '../runner/artifact.ts';
import { group, info, warn } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import { archiveName } from './archive-name.ts';
import { type DataDir, openDataDir } from './data-dir.ts';
import { downloadZips } from './download-zips.ts';
import type { Inputs } from './inputs.ts';
import { type Organised, organise } from './organise.ts';
import { reportData } from './report-data.ts';
import { identifyContents, openSources, type Source } from './sources.ts';
import { type Delivery, deliver } from './upload.ts';

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
  const { upload } = inputs;
  // Signed in before anything is downloaded: a wrong password should show now, not in two hours.
  const remote = upload && (await group('Sign in', () => signIn(upload, context)));
  const dataDir = await openDataDir(inputs.dataDir, inputs.workspace);
  const zips = await group('Download', () => downloadZips(inputs, dataDir.downloads, context));
  const { sources, leftOut, warnings, close } = await openSources(zips, inputs);
  try {
    const plan = await group('Plan', () => makePlan(sources, inputs, context.signal));
    const planned = { leftOut: [...leftOut, ...plan.leftOut], warnings: [...warnings, ...plan.warnings] };
    const finish = (more: readonly string[], archive: ArchiveOutcome | undefined): Outcome => {
      const classes = countClasses(plan.images);
      const outcome = { seed: inputs.plan.seed, classes, leftOut: planned.leftOut, dataDir: dataDir.path, archive };
      return { ...outcome, warnings: [...planned.warnings, ...more, ...adviseOnClasses(classes)] };
    };
    if (inputs.mode === 'dry-run') return finish([], undefined);

    const written = await group('Organise and archive', () =>
      writeDataset(plan, sources, { ...planned, inputs, dataDir, context }),
    );
    const { warnings: more, descriptions, ...archive } = written;
    if (inputs.artifactName !== '') await uploadArtifact(inputs.artifactName, descriptions, dataDir.results);
    const archived = finish(more, { ...archive, delivery: undefined });
    if (!upload || !remote) return archived;
    context.onArchived(archived);
    const delivery = await group('Upload', () => deliver(remote, upload, archive, inputs, context));
    return finish(more, { ...archive, path: delivery.archiveKept ? archive.path : undefined, delivery });
  } finally {
    await close();
  }
}

async function signIn(upload: NonNullable<Inputs['upload']>, { http, signal }: RunContext): Promise<Remote> {
  const remote = await connect(upload, { http, signal, onWarning: warn });
  info(`Signed in: ${remote.description}.`);
  return remote;
}

async function makePlan(sources: readonly Source[], inputs: Inputs, signal: AbortSignal): Promise<Plan<ZipEntry>> {
  const plan = planDataset(sources, await identifyContents(sources, signal), inputs.plan);
  info(`Seed ${inputs.plan.seed}, ${plan.images.length} images:`);
  for (const [label, { train, test }] of countClasses(plan.images)) info(`  ${label}: ${train} train, ${test} test`);
  return plan;
}

interface WrittenDataset {
  readonly name: string;
  readonly path: string;
  readonly facts: ArchiveFacts;
  readonly manifestPath: string;
  readonly reportPath: string;
  /** Paths of manifest, data set description and report. */
  readonly descriptions: string[];
  readonly warnings: readonly string[];
}

/** Writes `results` and the archive in one pass. What of the archive is unfinished when that fails is removed. */
async function writeDataset(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  run: {
    readonly inputs: Inputs;
    readonly dataDir: DataDir;
    readonly leftOut: readonly LeftOut[];
    readonly warnings: readonly string[];
    readonly context: RunContext;
  },
): Promise<WrittenDataset> {
  const { inputs, dataDir, context } = run;
  const { signal } = context;
  const name = archiveName(inputs.archivePrefix, context.now);
  const path = join(inputs.workspace, name);
  const archive = await createArchive(path, { signal });
  try {
    const withData = inputs.archiveContent === 'data';
    const archivePath = (below: string) => (withData ? `results/${below}` : below);
    if (withData) {
      for (const source of sources) await archive.addFile(`downloads/${source.zipName}`, source.path);
    }
    const organised = await organiseWithProgress(plan, sources, { archive, archivePath, dataDir, signal });
    const warnings = unreadableWarning(organised.unreadable);
    const texts = describe(plan, sources, organised, { ...run, warnings: [...run.warnings, ...warnings] });
    const descriptions: string[] = [];
    for (const [fileName, text] of Object.entries(texts)) {
      const description = join(dataDir.results, fileName);
      await writeFile(description, text).catch((error: unknown) => {
        throw diskFailure('write', description, error);
      });
      await archive.addBuffer(archivePath(fileName), Buffer.from(text));
      descriptions.push(description);
    }
    const facts = await archive.finish();
    info(`${name}: ${formatBytes(facts.bytes)}, ${facts.entries} files, SHA-256 ${facts.sha256}`);
    const [manifestPath, reportPath] = [join(dataDir.results, MANIFEST), join(dataDir.results, REPORT)];
    return { name, path, facts, manifestPath, reportPath, descriptions, warnings };
  } catch (error) {
    await archive.abort();
    throw error;
  }
}

const MANIFEST = 'manifest.csv';
const DATASET = 'dataset.json';
const REPORT = 'report.html';

function describe(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  { images, pictures }: Organised,
  run: { readonly inputs: Inputs; readonly leftOut: readonly LeftOut[]; readonly warnings: readonly string[] },
): Record<string, string> {
  const { plan: options, imageExtensions } = run.inputs;
  return {
    [MANIFEST]: manifestCsv(images),
    [DATASET]: datasetJson({ options, imageExtensions, sources, images }),
    [REPORT]: reportHtml(reportData(plan, sources, pictures, run)),
  };
}

async function organiseWithProgress(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  to: { archive: ArchiveWriter; archivePath: (path: string) => string; dataDir: DataDir; signal: AbortSignal },
): Promise<Organised> {
  const total = plan.images.reduce((bytes, { image }) => bytes + image.bytes, 0);
  const progress = createProgress('Organising');
  try {
    const onProgress = (done: number) => progress.update(done, total);
    return await organise(plan, sources, { ...to, results: to.dataDir.results, onProgress });
  } finally {
    progress.end();
  }
}

function unreadableWarning(paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const shown = paths.slice(0, 5).join(', ') + (paths.length > 5 ? ', …' : '');
  return [
    `${paths.length} files are named like images, but no width and height can be read from them, so training may fail on them: ${shown}.`,
  ];
}
