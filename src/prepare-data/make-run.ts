import type { CachedDownload } from '../download/cache.ts';
import type { Remote } from '../owncloud/remote.ts';
import type { DataDir } from './data-dir.ts';
import type { Previous } from './find-previous.ts';
import type { Inputs } from './inputs.ts';
import type { LastArchive } from './last-archive.ts';
import type { RunContext } from './run-context.ts';

/** What a data set is made with. */
export interface MakeRun {
  readonly inputs: Inputs;
  readonly context: RunContext;
  readonly dataDir: DataDir;
  readonly remote: Remote | undefined;
  readonly previous: Previous;
  /** The last archive, when nothing is new and only the data folder is to be filled. */
  readonly same: LastArchive | undefined;
  /** Zips that are here already, by `cacheKeyOf`. */
  readonly here: ReadonlyMap<string, CachedDownload>;
}
