import { type Checks, classChange, refusalLines } from './checks.ts';
import type { Inputs, JudgeTask } from './inputs.ts';
import type { LocalModel, ModelFile } from './local-model.ts';
import type { LockedFolder } from './locked-folder.ts';
import type { PublishedModel } from './published-model.ts';
import type { StoredVersion } from './stored-version.ts';
import type { GpuUse, PromotionRecord, VersionRecord } from './version-record.ts';

/** What a run did, for outputs and job summary. */
export interface Outcome {
  readonly kind: 'publish' | 'promote' | 'roll-back';
  /** Who has decided about a promotion: a person who names a version needs no gate. */
  readonly decidedBy: 'checks' | 'person';
  readonly modelName: string;
  readonly version: string;
  /** The version's WebDAV address. */
  readonly url: string;
  /** The page of the model's folder, when the server has one. */
  readonly page: string | undefined;
  /** The model's folder. */
  readonly folder: string;
  /** For people: the server. */
  readonly server: string;
  /** Of the weights. */
  readonly sha256: string;
  readonly checks: Checks;
  /** What the figures of the version are; `undefined` for an old one that has none that can be read. */
  readonly model: Pick<LocalModel, 'metrics' | 'comparison'> | undefined;
  /** What was in production before the run; `undefined` when nothing was. */
  readonly production: PublishedModel | undefined;
  /** Whether the version is in production now. */
  readonly promoted: boolean;
  /** Whether it should have been. */
  readonly promotionWanted: boolean;
  /** The folder that keeps what was replaced. */
  readonly replaced: string | undefined;
  /** Whether a roll-back from here changes the classes. */
  readonly classesDiffer: boolean;
  /** Why there was nothing to judge: then the run is green whatever the checks say. */
  readonly settled?: { readonly sentence: string; readonly waits: boolean } | undefined;
  /** What the GPU servers of its training have run, when that was found out now. */
  readonly gpu?: GpuUse | undefined;
  /** The record that lies with the version, where it is known without reading it. */
  readonly record?: VersionRecord | undefined;
  /** The promotion of this run, which is still to be written into the record. */
  readonly promotion?: PromotionRecord | undefined;
  /** Whether nothing spoke against the version, so that older ones may go. */
  readonly mayTidy?: boolean | undefined;
  /** What the version holds, where that lies on this machine. */
  readonly files?: readonly ModelFile[] | undefined;
  /** The address of the zip of what is in production. */
  readonly download?: string | undefined;
  /** Versions that `keep-versions` deleted. */
  readonly removed: readonly string[];
}

/** What is the same for every run at a place, before anything is promoted. */
export function describePlace({ modelName }: Inputs, { remote, folder, production }: LockedFolder, version: string) {
  return {
    modelName,
    version,
    url: `${remote.fileUrl(`${folder}/${version}`)}/`,
    page: remote.folderPage(folder),
    folder,
    server: remote.description,
    production,
    promoted: false,
    replaced: undefined,
    removed: [],
  };
}

/** What checks have said about a version, before anything is promoted. */
export function judgedOutcome(
  inputs: Inputs,
  place: LockedFolder,
  { version, promote }: Pick<JudgeTask, 'version' | 'promote'>,
  {
    classes,
    ...judged
  }: Pick<StoredVersion, 'sha256' | 'classes'> & Pick<Outcome, 'checks' | 'model' | 'files' | 'gpu' | 'record'>,
): Outcome {
  return {
    ...describePlace(inputs, place, version),
    kind: 'publish',
    decidedBy: 'checks',
    ...judged,
    promotionWanted: promote,
    classesDiffer: place.production !== undefined && classChange(classes, place.production) !== undefined,
  };
}

/** Why the version was not promoted, for the end of a red run; `undefined` when nothing kept it out. */
export function refusalOf({
  checks,
  production,
  version,
  decidedBy,
  folder,
  server,
  settled,
}: Outcome): string | undefined {
  if (checks.passed || settled !== undefined) return undefined;
  const lines = refusalLines(checks, production).map((line) => `- ${line}`);
  if (decidedBy === 'person') return [`The version ${version} was not put into production:`, ...lines].join('\n');
  return [
    `The model was not promoted; production is as it was. The version ${version} is kept in the folder “${folder}/${version}” on ${server}.`,
    ...lines,
    `A person who decides otherwise can promote it without training again: run with promote-version: ${version}.`,
  ].join('\n');
}
