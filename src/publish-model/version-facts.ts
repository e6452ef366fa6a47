import { messageOf, throwIfCancelled } from '../errors.ts';
import { type Metrics, parseMetrics } from '../model/metrics.ts';
import { METRICS_FILE, PROVENANCE_FILE, RECORD_FILE, SUMS_FILE, timeInName } from '../model/model-folder.ts';
import { lookUpIfThere } from '../owncloud/look-up.ts';
import { type RemoteOptions, retrying } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { mapParallel } from '../parallel/map-parallel.ts';
import { parseProvenance } from './model-card.ts';
import { parseRecord, type VersionRecord } from './version-record.ts';

/** How many versions are read at a time, three files of each. */
const CONCURRENCY = 3;
/** What is not read after this time stays unread: the page is not worth holding the folder for longer. Milliseconds. */
const TIME_LIMIT_MS = 3 * 60_000;

/** What a version says about itself. What is `undefined` is not there, or can't be read. */
export interface VersionFacts {
  readonly name: string;
  readonly stored: Date | undefined;
  readonly dataset: string | undefined;
  readonly metrics: Metrics | undefined;
  readonly record: VersionRecord | undefined;
  /** Whether it is a version at all, and not a folder of something else. */
  readonly isVersion: boolean;
  /** What is wrong with its files, as sentences. */
  readonly faults: readonly string[];
}

/**
 * Reads the few small files that tell about each version: at most three of them, and the date of a fourth where it is
 * needed. One that can't be read is reported, and the others are read anyway.
 *
 * @param known records that need not be read
 * @returns in the order of `versions`
 * @throws DiatomError `CANCELLED` only
 */
export async function readVersions(
  remote: Remote,
  folder: string,
  { versions, known }: { readonly versions: readonly string[]; readonly known: ReadonlyMap<string, VersionRecord> },
  options: RemoteOptions,
): Promise<VersionFacts[]> {
  const limit = AbortSignal.timeout(TIME_LIMIT_MS);
  const limited = { ...options, signal: options.signal ? AbortSignal.any([options.signal, limit]) : limit };
  return mapParallel(versions, CONCURRENCY, async (name) => {
    const facts = await readVersion(remote, `${folder}/${name}`, { name, record: known.get(name) }, limited);
    throwIfCancelled(options.signal);
    return limit.aborted && facts.faults.length > 0 ? { ...facts, faults: ['there was no time to read it'] } : facts;
  });
}

async function readVersion(
  remote: Remote,
  folder: string,
  { name, record: known }: { readonly name: string; readonly record: VersionRecord | undefined },
  options: RemoteOptions,
): Promise<VersionFacts> {
  const faults: string[] = [];
  async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      faults.push(messageOf(error));
      return undefined;
    }
  }
  const parsed = <T>(file: string, parse: (text: string, file: string) => T) =>
    attempt(async () => {
      const text = await readText(remote, remotePath(folder, file), options);
      return text === undefined ? undefined : parse(text, file);
    });
  const [record, metrics, provenance] = await Promise.all([
    known ?? parsed(RECORD_FILE, parseRecord),
    parsed(METRICS_FILE, parseMetrics),
    parsed(PROVENANCE_FILE, parseProvenance),
  ]);
  const dataset = provenance?.dataset?.name;
  const named = record?.stored ? new Date(record.stored) : timeInName(name);
  // A version of an older release under a name of its own has its date only here, and a folder of something else none.
  const sums =
    named && metrics
      ? undefined
      : await attempt(() =>
          retrying(options, () => lookUpIfThere(remote.client, remotePath(folder, SUMS_FILE), options.signal)),
        );
  return {
    name,
    stored: named ?? sums?.modified,
    dataset: dataset === undefined || dataset === null ? undefined : String(dataset),
    metrics,
    record,
    isVersion: metrics !== undefined || record !== undefined || sums !== undefined || faults.length > 0,
    faults: metrics || faults.length > 0 ? faults : [`it has no ${METRICS_FILE}`],
  };
}
