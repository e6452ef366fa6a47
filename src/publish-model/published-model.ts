import { messageOf } from '../errors.ts';
import { type Metrics, parseMetrics } from '../model/metrics.ts';
import { CLASSES_FILE, METRICS_FILE, VERSION_FILE } from '../model/model-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { parseClasses } from './classes.ts';

/** A model that is on the server. What is `undefined` is not there or can't be read. */
export interface PublishedModel {
  /** Only known of production. */
  readonly version: string | undefined;
  readonly classes: readonly string[] | undefined;
  readonly metrics: Metrics | undefined;
}

/**
 * Reads what a published model says about itself. Somebody may have put it there by hand, so nothing of it is required;
 * what can't be read is a warning.
 *
 * @throws DiatomError `OWNCLOUD` or `NETWORK` when the server does not answer
 */
export async function readPublished(remote: Remote, folder: string, options: RemoteOptions): Promise<PublishedModel> {
  const text = (name: string) => readText(remote, remotePath(folder, name), options);
  async function parsed<T>(name: string, parse: (text: string, file: string) => T): Promise<T | undefined> {
    const found = await text(name);
    try {
      return found === undefined ? undefined : parse(found, `${folder}/${name}`);
    } catch (error) {
      options.onWarning?.(messageOf(error));
      return undefined;
    }
  }
  const [version, classes, metrics] = await Promise.all([
    text(VERSION_FILE),
    parsed(CLASSES_FILE, parseClasses),
    parsed(METRICS_FILE, parseMetrics),
  ]);
  return { version: version?.trim() || undefined, classes, metrics };
}
