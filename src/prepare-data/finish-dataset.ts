import { adviseOnClasses } from '../dataset/advice.ts';
import type { ClassCount } from '../dataset/tally.ts';
import type { Downloaded } from '../download/download-file.ts';
import { digestFile } from '../files/digest-file.ts';
import { uploadArtifact, uploadFileArtifact } from '../runner/artifact.ts';
import { group, info } from '../runner/log.ts';
import { deliver, type Sending } from './deliver-archive.ts';
import type { Inputs } from './inputs.ts';
import { standingArchive } from './last-archive.ts';
import { logChanges } from './line.ts';
import { removeArchive, writeRecord } from './local-archive.ts';
import type { MakeRun } from './make-run.ts';
import type { Outcome } from './outcome.ts';
import { formatRecord, makeRecord } from './run-record.ts';
import type { WrittenDataset } from './write-dataset.ts';

export type Planned = Pick<WrittenDataset, 'classes' | 'leftOut' | 'warnings' | 'changes'>;

/** A data set that is written, and perhaps on its way. */
export interface WrittenRun extends MakeRun {
  readonly signal: AbortSignal;
  readonly written: WrittenDataset;
  /** What was downloaded for it, in the order of the file list. */
  readonly zips: readonly Downloaded[];
  /** The upload that has begun, or else one that begins; `undefined` when nothing is to be uploaded. */
  readonly send: () => Sending | undefined;
}

/** Puts beside a written archive what belongs there, and brings it to the server. */
export async function finishDataset(run: WrittenRun): Promise<Outcome> {
  const { inputs, context, dataDir, signal, written, zips, remote, same } = run;
  const { descriptions, sidesPath, dataIdentity, ...archive } = written;
  logClasses(written.classes, inputs);
  logChanges(written.changes);
  if (inputs.artifactName !== '') await uploadArtifact(inputs.artifactName, descriptions, dataDir.results);
  if (same && remote && dataIdentity === same.record.data_identity) {
    const standing = await standingArchive(same, { inputs, remote, signal, now: context.now });
    if (standing) {
      await removeArchive(archive.path);
      const { manifestPath } = written;
      return outcomeOf(run, written, { dataIdentity, standing: { ...standing, manifestPath } });
    }
  }
  const sending = run.send();
  const sides = sidesPath === undefined ? undefined : { path: sidesPath, ...(await digestFile(sidesPath, signal)) };
  if (sides) sending?.sidesReady(sides);
  const { name, facts, classes } = written;
  const record = formatRecord(makeRecord(inputs, { archive: { name, ...facts }, sides, dataIdentity, zips, classes }));
  const { upload } = inputs;
  const archived = outcomeOf(run, written, { dataIdentity, archive: { ...archive, delivery: undefined } });
  // Before anything deletes it. An archive that is on its server already needs no other place.
  if (inputs.archiveInArtifact) await uploadFileArtifact(archive.path);
  if (!upload || !remote || !sending) {
    await writeRecord(archive.path, record);
    return archived;
  }
  context.onArchived(archived);
  const delivery = await group('Upload', () =>
    deliver(remote, upload, { ...archive, record }, inputs, { sending, signal }),
  );
  const path = delivery.archiveKept ? archive.path : undefined;
  return outcomeOf(run, written, { dataIdentity, archive: { ...archive, path, delivery } });
}

export function outcomeOf(
  { inputs, dataDir, previous }: Pick<MakeRun, 'inputs' | 'dataDir' | 'previous'>,
  { classes, leftOut, warnings, changes }: Planned,
  made: Partial<Pick<Outcome, 'archive' | 'dataIdentity' | 'standing'>>,
): Outcome {
  return {
    seed: inputs.plan.seed,
    classes,
    leftOut,
    changes,
    dataDir: dataDir.path,
    archive: made.archive,
    dataIdentity: made.dataIdentity,
    standing: made.standing,
    warnings: [...previous.warnings, ...warnings, ...adviseOnClasses(classes)],
  };
}

export function logClasses(classes: ReadonlyMap<string, ClassCount>, inputs: Pick<Inputs, 'plan'>): void {
  info(`Seed ${inputs.plan.seed}:`);
  for (const [label, { train, test }] of classes) info(`  ${label}: ${train} train, ${test} test`);
}
