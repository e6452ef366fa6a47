import type { ModelFolder } from '../model/model-folder.ts';
import type { Lock } from '../owncloud/lock.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import type { Remote } from '../owncloud/remote.ts';
import type { PublishedModel } from './published-model.ts';

/** The model's folder, opened for this run alone. */
export interface LockedFolder {
  readonly remote: Remote;
  readonly folder: string;
  readonly content: ModelFolder;
  readonly production: PublishedModel | undefined;
  readonly lock: Lock;
  readonly options: RemoteOptions;
  readonly sideLimitMs?: number | undefined;
}
