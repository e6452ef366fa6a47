import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveFacts, type ArchiveWriter, createArchive } from '../archive/archive-writer.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { datasetJson, manifestCsv } from '../dataset/manifest.ts';
import type { Plan } from '../dataset/plan.ts';
import { reportHtml } from '../dataset/report.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import { diskFailure } from '../disk-failure.ts';
import { DiatomError } from '../errors.ts';
import { formatBytes } from '../format.ts';
import type { GrowingFile } from '../growing-file.ts';
import { info } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import { archiveName } from './archive-name.ts';
import type { DataDir } from './data-dir.ts';
import { bytesNeeded, diskAdvice, freeBytes, spaceSentence } from './disk-space.ts';
import type { Inputs } from './inputs.ts';
import { createDiskSaver, type DiskSaver } from './low-disk.ts';
import { type Organised, organise } from './organise.ts';
import type { RunContext } from './prepare.ts';
import { reportData } from './report-data.ts';
import type { Source } from './sources.ts';

const MANIFEST = 'manifest.csv';
const DATASET = 'dataset.json';
const REPORT = 'report.html';

export interface WrittenDataset {
  readonly name: string;
  readonly path: string;
  readonly facts: ArchiveFacts;
  readonly manifestPath: string;
  readonly reportPath: string;
  /** Paths of manifest, data set description and report. */
  readonly descriptions: string[];
  /** Sentences about images that can't be read. */
  readonly warnings: readonly string[];
}

/** An archive that has begun to grow. */
export interface BegunArchive {
  readonly name: string;
  readonly file: GrowingFile;
  readonly saver: DiskSaver | undefined;
}

/**
 * Writes `results` and the archive in one pass. What of the archive is unfinished when that fails is removed.
 *
 * @throws DiatomError `ZIP`, `DISK`, `CANCELLED`
 */
export async function writeDataset(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  run: {
    readonly inputs: Inputs;
    readonly dataDir: DataDir;
    readonly leftOut: readonly LeftOut[];
    readonly warnings: readonly string[];
    readonly context: RunContext;
    /** Settles when all zips are here. */
    readonly downloads: Promise<void>;
    /** Told when the archive begins to grow. */
    readonly onBegun: (archive: BegunArchive) => void;
  },
): Promise<WrittenDataset> {
  const { inputs, dataDir, context } = run;
  const { signal } = context;
  const name = archiveName(inputs.archivePrefix, context.now);
  const path = join(inputs.workspace, name);
  await requireSpace(plan, sources, inputs);
  const saver = inputs.lowDisk ? createDiskSaver(path) : undefined;
  const archive = await createArchive(path, { signal, onDigested: saver?.onDigested });
  try {
    run.onBegun({ name, file: archive.file, saver });
    const withData = inputs.archiveContent === 'data';
    const archivePath = (below: string) => (withData ? `results/${below}` : below);
    const { downloads } = run;
    const results = inputs.keepData ? dataDir.results : undefined;
    const to = { archive, archivePath, withSources: withData, results, saver, signal, downloads };
    const organised = await organiseWithProgress(plan, sources, to);
    const warnings = unreadableWarning(organised.unreadable);
    const downloaded = await Promise.all(
      sources.map(async (source) => ({ ...source, sha256: (await source.downloaded()).sha256 })),
    );
    const texts = describe(plan, downloaded, organised, { ...run, warnings: [...run.warnings, ...warnings] });
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

function describe(
  plan: Plan<ZipEntry>,
  sources: readonly (Source & { readonly sha256: string })[],
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

/** @throws DiatomError `DISK` before anything is archived, when the disk is too small for it */
async function requireSpace(plan: Plan<ZipEntry>, sources: readonly Source[], inputs: Inputs): Promise<void> {
  const zips = sources.map(({ zipBytes }) => zipBytes ?? 0);
  const images = plan.images.reduce((bytes, { image }) => bytes + image.bytes, 0);
  const need = bytesNeeded({ zips, images }, inputs);
  // What of the zips has come is no longer free, and no longer needed.
  const free = (await freeBytes(inputs.workspace)) + (await bytesBelow(join(inputs.dataDir, 'downloads')));
  if (need <= free) return;
  throw new DiatomError(
    'DISK',
    `The disk is too small for this run: ${spaceSentence(need, free, inputs.workspace)}. ${diskAdvice(inputs)}`,
  );
}

async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = names.map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

async function organiseWithProgress(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  to: {
    archive: ArchiveWriter;
    archivePath: (path: string) => string;
    withSources: boolean;
    results: string | undefined;
    saver: DiskSaver | undefined;
    signal: AbortSignal;
    downloads: Promise<void>;
  },
): Promise<Organised> {
  const total = plan.images.reduce((bytes, { image }) => bytes + image.bytes, 0);
  const progress = createProgress('Organising');
  try {
    // Until all zips are here, their progress is the one that is shown.
    let isShown = false;
    to.downloads.then(
      () => {
        isShown = true;
      },
      () => undefined,
    );
    const onProgress = (done: number) => {
      if (isShown) progress.update(done, total);
    };
    return await organise(plan, sources, { ...to, onProgress });
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
