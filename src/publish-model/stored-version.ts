import { DiatomError } from '../errors.ts';
import type { Metrics } from '../model/metrics.ts';
import { COMPARISON_FILE, SUMS_FILE, WEIGHTS_FILE } from '../model/model-folder.ts';
import { parseSums } from '../model/sums.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import type { ExpectedFile } from '../owncloud/verify-folder.ts';
import { type Comparison, parseComparison } from './comparison.ts';
import { textFile } from './local-model.ts';
import type { LockedFolder } from './locked-folder.ts';
import { readPublished } from './published-model.ts';

/** A version that is on the server. */
export interface StoredVersion {
  readonly classes: readonly string[];
  readonly metrics: Metrics | undefined;
  /** Of the weights. */
  readonly sha256: string;
  /** What it holds, by its SHA256SUMS. */
  readonly files: readonly ExpectedFile[];
}

/**
 * Reads what a version says about itself.
 *
 * @param input which names it
 * @throws DiatomError `INPUT` when it is no whole version, `MODEL` when it lacks something
 */
export async function readStoredVersion(
  { remote, folder, options }: LockedFolder,
  version: string,
  input: string,
): Promise<StoredVersion> {
  const source = `${folder}/${version}`;
  const text = await readText(remote, remotePath(source, SUMS_FILE), options);
  if (text === undefined) {
    throw new DiatomError(
      'INPUT',
      `Input ${input}: “${source}” at ${remote.rootUrl.host} is no whole version: it has no ${SUMS_FILE}.`,
    );
  }
  const sums = parseSums(text, `${source}/${SUMS_FILE}`);
  const weights = sums.find(({ name }) => name === WEIGHTS_FILE);
  const { classes, metrics } = await readPublished(remote, source, options);
  if (!weights || !classes) {
    throw new DiatomError(
      'MODEL',
      `The version “${source}” at ${remote.rootUrl.host} can’t be put into production: it has no ${weights ? 'list of classes that can be read' : WEIGHTS_FILE}.`,
    );
  }
  return { classes, metrics, sha256: weights.sha256, files: [...sums, textFile(SUMS_FILE, text)] };
}

/** How a stored version compared with production's in its training; `undefined` when it was not compared. */
export async function comparisonOf(
  version: string,
  { remote, folder, options }: LockedFolder,
): Promise<Comparison | undefined> {
  const source = `${folder}/${version}`;
  const text = await readText(remote, remotePath(source, COMPARISON_FILE), options);
  return text === undefined ? undefined : parseComparison(text, `${source}/${COMPARISON_FILE}`);
}
