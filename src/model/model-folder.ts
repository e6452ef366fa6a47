import { randomBytes } from 'node:crypto';
import { whyUnsafeName } from '../dataset/safe-name.ts';
import type { RemoteEntry } from '../owncloud/list-folder.ts';

export const WEIGHTS_FILE = 'model.pth';
export const CLASSES_FILE = 'classes.json';
export const METRICS_FILE = 'metrics.json';
export const COMPARISON_FILE = 'comparison.json';
export const PROVENANCE_FILE = 'provenance.json';
export const CARD_FILE = 'MODEL_CARD.md';
/** The same with what publishing adds, in the form in which hubs of models take it. */
export const HUB_CARD_FILE = 'README.md';
/** What train.py of the template says about its training. */
export const TRAINING_FILE = 'training.json';
/**
 * Labels of the data set to look at again, with pictures. They belong to a training's results, and are no part of a version:
 * who may have the model need not be who may have the images.
 */
export const LABEL_ISSUES_PAGE = 'label-issues.html';
export const LABEL_ISSUES_LIST = 'label-issues.csv';
/** The last file of a version to be stored: a folder that has it is a whole version. */
export const SUMS_FILE = 'SHA256SUMS';
/** In production's folder: the name of the version that it is a copy of. */
export const VERSION_FILE = 'VERSION';
/** What became of a version. The one file of it that changes, so SUMS_FILE does not list it. */
export const RECORD_FILE = 'verdict.json';
/** In the model's folder: all versions, for people. */
export const PAGE_FILE = 'index.html';
export const PRODUCTION = 'production';
export const LOCK = '.publish-lock';

const PREVIOUS = /^production\.previous-(\d{8}-\d{6})-[0-9a-f]{8}$/;
const UNFINISHED = /^production\.next-[0-9a-f]{8}$|\.(?:uploading|deleting)-[0-9a-f]{8}$/;
const UNFINISHED_FILE = /^(?:index\.html|verdict\.json|.+\.zip)\.uploading-[0-9a-f]{8}$/;

/** A name for what was in production until `time`. These names sort by time. */
export const previousName = (time: Date) => `${PRODUCTION}.previous-${timeStamp(time)}-${hex()}`;
/** A name for what will be production. */
export const nextName = () => `${PRODUCTION}.next-${hex()}`;
/** A name for a version that is being uploaded. */
export const uploadingName = (version: string) => `${version}.uploading-${hex()}`;
/** A name for a version that is being deleted, so that half of one is never taken for a version. */
export const deletingName = (version: string) => `${version}.deleting-${hex()}`;

/** The zip of a version beside production, for people. */
export const downloadName = (modelName: string, version: string) => `${modelName}-${version}.zip`;

/** What the folders in a model's folder are, by their names. */
export interface ModelFolder {
  readonly hasProduction: boolean;
  /** Folders that may be versions: every one whose name could be a version's. */
  readonly versions: readonly string[];
  /** What was in production before, newest first. */
  readonly previous: readonly string[];
  /** What runs that were cut short left behind. */
  readonly unfinished: readonly string[];
  /** Files of that kind. */
  readonly unfinishedFiles: readonly string[];
  /** All files. */
  readonly files: readonly RemoteEntry[];
}

export function sortOut(entries: readonly RemoteEntry[]): ModelFolder {
  const folders = entries.filter(({ type }) => type === 'directory').map(({ name }) => name);
  const files = entries.filter(({ type }) => type === 'file');
  return {
    hasProduction: folders.includes(PRODUCTION),
    versions: folders.filter((name) => whyNoVersion(name) === undefined).sort(),
    previous: folders
      .filter((name) => PREVIOUS.test(name))
      .sort()
      .reverse(),
    unfinished: folders.filter((name) => UNFINISHED.test(name)),
    unfinishedFiles: files.map(({ name }) => name).filter((name) => UNFINISHED_FILE.test(name)),
    files,
  };
}

/** Why a name can't be a version's; `undefined` when it can. Completes “this one …”. */
export function whyNoVersion(name: string): string | undefined {
  const unsafe = whyUnsafeName(name);
  if (unsafe !== undefined) return unsafe;
  if (name.startsWith('.')) return 'begins with a dot';
  if (/^(?:production(?:\.|$)|previous$)/i.test(name)) return 'has a meaning of its own';
  if (UNFINISHED.test(name) || /\.(?:file)?part$/i.test(name)) return 'ends like something unfinished';
  // Room for what the name has in addition while it is uploaded.
  return Buffer.byteLength(name) > 200 ? 'is longer than 200 bytes' : undefined;
}

/** The name of a version that got none: its time (UTC) and the commit it was trained with. */
export function defaultVersion(time: Date, commit: string | undefined): string {
  return commit ? `${timeStamp(time)}-${commit.slice(0, 7)}` : timeStamp(time);
}

/** The time in a version's default name. */
export function timeInName(version: string): Date | undefined {
  const [, date, hour, minute, second] = /^(\d{8})-(\d\d)(\d\d)(\d\d)(?:-|$)/.exec(version) ?? [];
  if (date === undefined) return undefined;
  const day = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
  const time = new Date(`${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function timeStamp(time: Date): string {
  return time.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
}

function hex(): string {
  return randomBytes(4).toString('hex');
}
