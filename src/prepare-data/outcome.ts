import type { ArchiveFacts } from '../archive/archive-writer.ts';
import type { ClassChanges } from '../dataset/changes.ts';
import type { LeftOut } from '../dataset/select-images.ts';
import type { ClassCount } from '../dataset/tally.ts';
import type { Uploaded } from '../owncloud/upload.ts';

/** What a run did, for outputs and job summary. */
export interface Outcome {
  readonly seed: string;
  readonly classes: ReadonlyMap<string, ClassCount>;
  readonly leftOut: readonly LeftOut[];
  readonly warnings: readonly string[];
  /** Of each class against the data set before, where sides are kept and there is one. */
  readonly changes: ReadonlyMap<string, ClassChanges> | undefined;
  readonly dataDir: string;
  /** SHA-256 of the manifest; `undefined` in a dry run. */
  readonly dataIdentity: string | undefined;
  /** `undefined` in a dry run, and when nothing is new. */
  readonly archive: ArchiveOutcome | undefined;
  /** The archive that stands, when nothing is new. */
  readonly standing: StandingArchive | undefined;
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

/** An archive of an earlier run that is what this one would have made. */
export interface StandingArchive {
  readonly name: string;
  readonly url: string;
  readonly bytes: number;
  readonly sha256: string;
  /** For people: the server. */
  readonly server: string;
  /** Of a copy of it here, where one was asked for. */
  readonly path: string | undefined;
  /** Of its manifest, where the data folder was filled. */
  readonly manifestPath: string | undefined;
}

/** Where the archive is on the server. */
export interface Delivery extends Uploaded {
  /** For people: the server. */
  readonly server: string;
  readonly folder: string;
  /** The address a person opens, when the server has one. */
  readonly page: string | undefined;
  /** Names of the archives that `keep-last` deleted. */
  readonly removed: readonly string[];
  /** Whether the local archive stays. */
  readonly archiveKept: boolean;
}
