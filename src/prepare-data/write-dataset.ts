import { hash } from 'node:crypto';
import { join } from 'node:path';
import { type ArchiveFacts, createArchive } from '../archive/archive-writer.ts';
import { archiveName, sidesNameOf } from '../dataset/archive-names.ts';
import type { ClassChanges } from '../dataset/changes.ts';
import { addCounts, sizeBins } from '../dataset/image-sizes.ts';
import { datasetJson, MANIFEST_HEADER } from '../dataset/manifest.ts';
import { reportHtml } from '../dataset/report.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import { type ClassCount, createTally } from '../dataset/tally.ts';
import type { GrowingFile } from '../files/growing-file.ts';
import { namedWhenWhole, partOf, writeWhole } from '../files/whole-file.ts';
import { formatBytes } from '../format.ts';
import { info } from '../runner/log.ts';
import { createProgress } from '../runner/progress.ts';
import { fillArchive } from './archive-jobs.ts';
import { brokenWarnings, type FoundBroken, leftOutBroken, requireWholeImages } from './broken-images.ts';
import { createCsvFile } from './csv-file.ts';
import type { DataDir } from './data-dir.ts';
import { describeNear } from './describe-near.ts';
import { requireFree, requireSpace } from './disk-space.ts';
import { startFillPool, threadsFor } from './fill-pool.ts';
import type { Inputs } from './inputs.ts';
import { createKeptSides, type KeptSides } from './kept-sides.ts';
import type { Line } from './line.ts';
import { createLooks } from './looks.ts';
import { createDiskSaver, type DiskSaver } from './low-disk.ts';
import { createNearFinder } from './near-finder.ts';
import { organise } from './organise.ts';
import { createPictures } from './pictures.ts';
import { createPlanning } from './plan-sources.ts';
import { reportData } from './report-data.ts';
import type { RunContext } from './run-context.ts';
import type { Selections } from './sources.ts';
import type { FillJob } from './thread-jobs.ts';

const MANIFEST = 'manifest.csv';
const DATASET = 'dataset.json';
const REPORT = 'report.html';
const CHANGES = 'changes.csv';
const NEAR = 'near-duplicates.csv';

export interface WrittenDataset {
  readonly name: string;
  readonly path: string;
  readonly facts: ArchiveFacts;
  /** SHA-256 of the manifest, hexadecimal. */
  readonly dataIdentity: string;
  readonly manifestPath: string;
  readonly reportPath: string;
  /** Of the file beside the archive; `undefined` where sides are not kept. */
  readonly sidesPath: string | undefined;
  /** Paths of manifest, changes, data set description and report. */
  readonly descriptions: string[];
  readonly classes: ReadonlyMap<string, ClassCount>;
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
  readonly changes: ReadonlyMap<string, ClassChanges> | undefined;
}

/** An archive that has begun to grow. */
export interface BegunArchive {
  readonly name: string;
  readonly file: GrowingFile;
  readonly saver: DiskSaver | undefined;
}

/** What is written, and with what. */
export interface WriteRun {
  readonly inputs: Inputs;
  readonly dataDir: DataDir;
  readonly context: RunContext;
  /** Where sides are kept. */
  readonly line: Line | undefined;
  /** Settles when all zips are here. */
  readonly downloads: Promise<void>;
  /** Told when the archive begins to grow. */
  readonly onBegun: (archive: BegunArchive) => void;
}

/**
 * Writes `results` and the archive in one pass. What of the archive is unfinished when that fails is removed.
 *
 * @throws DiatomError what planning throws; `ZIP`, `DISK`, `CANCELLED`
 */
export async function writeDataset(selections: Selections, run: WriteRun): Promise<WrittenDataset> {
  const { inputs, dataDir, context } = run;
  const { sources } = selections;
  const name = archiveName(inputs.archivePrefix, context.now);
  const path = join(inputs.workspace, name);
  await requireFree(path);
  await requireSpace(sources, inputs);
  const part = partOf(path);
  const saver = inputs.lowDisk ? createDiskSaver(part) : undefined;
  const { signal } = context;
  const manifest = await createCsvFile(join(dataDir.results, MANIFEST), MANIFEST_HEADER);
  const archive = await createArchive(part, {
    signal,
    onDigested: saver?.onDigested,
    withUploadSum: inputs.upload !== undefined,
  }).catch(async (error: unknown) => {
    await manifest.abort();
    throw error;
  });
  // With little disk it is never whole: what the server has of it is freed.
  const file = saver ? archive.file : namedWhenWhole(archive.file, path);
  // From here on nothing may fail outside of what closes them: threads keep a program alive.
  const imageBytes = sources.reduce((sum, source) => sum + source.imageBytes, 0);
  const looseBytes = sources.reduce((sum, source) => sum + source.looseBytes, 0);
  const threads = startFillPool(part, threadsFor(looseBytes > imageBytes / 2 ? 'deflating' : 'copying'));
  const pictures = createPictures(selections.gallery.pictureBytes);
  const looks = createLooks();
  const { nearDuplicates } = inputs.plan;
  let kept: KeptSides | undefined;
  try {
    kept = await createKeptSides(
      run.line,
      { sides: sidesNameOf(path), changes: join(dataDir.results, CHANGES) },
      { isGrouped: inputs.plan.groupBy !== undefined },
    );
    const { sidesPath, changesPath } = kept;
    const planning = await createPlanning(selections, inputs.plan, { threads, looks }, run.line?.known);
    const finder = nearDuplicates === 'off' ? undefined : createNearFinder(looks, planning.hashes);
    run.onBegun({ name, file, saver });
    const archiveFolder = inputs.archiveContent === 'data' ? 'results/' : '';
    const tally = createTally();
    const [unreadable, sizes, leftOut]: [string[], number[], LeftOut[]] = [[], [], [...selections.leftOut]];
    const broken: FoundBroken[] = [];
    let doneBytes = 0;
    const progress = showProgress(run.downloads);
    try {
      await organise(planning, sources, {
        results: inputs.keepData ? dataDir.results : undefined,
        archive,
        archiveFolder,
        withSources: inputs.archiveContent === 'data',
        threads,
        gallery: selections.gallery,
        saver,
        signal,
        brokenImages: inputs.brokenImages,
        looks: nearDuplicates === 'report',
        onPlanned: ({ planned }) => {
          leftOut.push(...planned.leftOut);
        },
        onFilled: async (filled, { placed, broken: found }) => {
          for (const image of placed) tally.add(image);
          broken.push(...found);
          await kept?.add(placed);
          unreadable.push(...filled.unreadable);
          addCounts(sizes, filled.sizes);
          doneBytes += filled.bytes;
          progress.update(doneBytes, imageBytes);
          await manifest.add(filled.manifest);
          await pictures.add(filled.pictures);
          await finder?.add(filled.files, placed);
        },
      });
    } finally {
      progress.end();
    }
    requireWholeImages(broken, tally.classes());
    const gone = inputs.brokenImages === 'leave-out' ? broken : [];
    leftOut.push(...gone.map(leftOutBroken));
    const dataIdentity = await manifest.finish();
    await kept.finish(manifest.path, gone);
    const changes = kept.changes();
    const found = await finder?.finish();
    // Threads of one kind are done before those of the next begin: each has its own memory.
    await looks.close();
    const samples = await pictures.finish();
    await pictures.close();
    const near = found && (await describeNear(found, { ...inputs, manifest: manifest.path, sources }));
    const warnings = [
      ...selections.warnings,
      ...planning.warnings(),
      ...brokenWarnings(broken, tally.classes(), inputs.brokenImages),
      ...unreadableWarning(unreadable),
      ...(near?.warnings ?? []),
    ];
    const descriptions = [manifest.path, ...(changesPath === undefined ? [] : [changesPath])];
    const made: Record<string, string> = {};
    if (near?.csv !== undefined) made[NEAR] = near.csv;
    async function* texts(): AsyncGenerator<FillJob> {
      yield { kind: 'file', path: manifest.path, name: archiveFolder + MANIFEST, sha256: dataIdentity };
      const sha256 = kept?.changesSum();
      if (changesPath !== undefined) yield { kind: 'file', path: changesPath, name: archiveFolder + CHANGES, sha256 };
      const downloaded = await Promise.all(
        sources.map(async (source) => ({ ...source, sha256: (await source.downloaded()).sha256 })),
      );
      const { plan: options, imageExtensions, settings } = inputs;
      const report = reportData(tally, downloaded, samples, {
        inputs,
        leftOut,
        warnings,
        changes,
        sizes: sizeBins(sizes),
        near: near?.report,
      });
      made[DATASET] = datasetJson({
        options,
        imageExtensions,
        settings,
        sources: downloaded,
        classes: tally.classes(),
      });
      made[REPORT] = reportHtml(report);
      for (const [fileName, text] of Object.entries(made)) {
        const description = join(dataDir.results, fileName);
        await writeWhole(description, text);
        descriptions.push(description);
        yield { kind: 'file', path: description, name: archiveFolder + fileName, sha256: hash('sha256', text, 'hex') };
      }
    }
    await fillArchive(archive, texts(), { threads, signal });
    const facts = await archive.finish();
    await file.complete;
    info(`${name}: ${formatBytes(facts.bytes)}, ${facts.entries} files, SHA-256 ${facts.sha256}`);
    const [manifestPath, reportPath] = [manifest.path, join(dataDir.results, REPORT)];
    const files = { name, path, facts, dataIdentity, manifestPath, reportPath, sidesPath, descriptions };
    return { ...files, classes: tally.classes(), leftOut, warnings, changes };
  } catch (error) {
    // In this order: what is open can't be removed everywhere.
    await threads.close();
    await manifest.abort();
    await kept?.abort();
    await archive.abort();
    throw error;
  } finally {
    await threads.close();
    await pictures.close();
    await looks.close();
  }
}

/** Until all zips are here, their progress is the one that is shown. */
function showProgress(downloads: Promise<void>) {
  const progress = createProgress('Organising');
  let isShown = false;
  downloads.then(
    () => {
      isShown = true;
    },
    () => undefined,
  );
  return {
    update(done: number, total: number): void {
      if (isShown) progress.update(done, total);
    },
    end: () => progress.end(),
  };
}

function unreadableWarning(paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const shown = paths.slice(0, 5).join(', ') + (paths.length > 5 ? ', …' : '');
  return [
    `${paths.length} files are named like images, but no width and height can be read from them, so training may fail on them: ${shown}.`,
  ];
}
