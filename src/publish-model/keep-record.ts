import { RECORD_FILE } from '../model/model-folder.ts';
import { temporaryPath } from '../owncloud/confirmed-writes.ts';
import { readText } from '../owncloud/read-file.ts';
import { remotePath } from '../owncloud/remote-path.ts';
import { replaceText } from '../owncloud/replace-file.ts';
import { asWarning } from './as-warning.ts';
import type { LockedFolder } from './locked-folder.ts';
import { formatRecord, parseRecord, type VersionRecord } from './version-record.ts';

/**
 * Writes into a version's record what has become of it. What can't be written is a warning: the version itself is where
 * it should be.
 *
 * @param known the record that lies there, where this run has stored it
 */
export async function keepRecord(
  place: LockedFolder,
  version: string,
  change: (record: VersionRecord) => VersionRecord,
  known?: VersionRecord,
): Promise<void> {
  const { remote, folder } = place;
  const failed = `What became of the version ${version} could not be written into its ${RECORD_FILE}`;
  await asWarning(place, failed, async (options) => {
    const path = remotePath(`${folder}/${version}`, RECORD_FILE);
    const text = known ? formatRecord(known) : await readText(remote, path, options);
    const record = text === undefined ? EMPTY : parseRecord(text, `${folder}/${version}/${RECORD_FILE}`);
    const changed = formatRecord(change(record));
    if (changed === text) return;
    // In the model's folder, where the next run finds and deletes what a killed one has left.
    const temporary = temporaryPath(remotePath(folder, RECORD_FILE));
    await replaceText(remote, { path, temporary, text: changed }, options);
  });
}

const EMPTY: VersionRecord = { format: 1, stored: null, judged: null, promotions: [] };
