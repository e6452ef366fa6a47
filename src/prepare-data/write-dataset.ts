import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveFacts, type ArchiveWriter, createArchive } from '../archive/archive-writer.ts';
import type { ZipEntry } from '../archive/open-zip.ts';
import { datasetJson, manifestCsv } from '../dataset/manifest.ts';
import type { Plan } from '../dataset/plan.ts';
import { reportHtml } from '../dataset/report.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import { diskFailure } from '../disk-failure.ts';
import { formatBytes } from '../format.ts';
import type { GrowingFile } from '../growing-file.ts';
import { info } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import { archiveName } from './archive-name.ts';
import type { DataDir } from './data-dir.ts';
import type { Inputs } from './inputs.ts';
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
    readonly onBegun: (archive: { readonly name: string; readonly file: GrowingFile }) => void;
  },
): Promise<WrittenDataset> {
  const { inputs, dataDir, context } = run;
  const { signal } = context;
  const name = archiveName(inputs.archivePrefix, context.now);
  const path = join(inputs.workspace, name);
  const archive = await createArchive(path, { signal });
  try {
    run.onBegun({ name, file: archive.file });
    const withData = inputs.archiveContent === 'data';
    const archivePath = (below: string) => (withData ? `results/${below}` : below);
    const { downloads } = run;
    const to = { archive, archivePath, withSources: withData, dataDir, signal, downloads };
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

async function organiseWithProgress(
  plan: Plan<ZipEntry>,
  sources: readonly Source[],
  to: {
    archive: ArchiveWriter;
    archivePath: (path: string) => string;
    withSources: boolean;
    dataDir: DataDir;
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
