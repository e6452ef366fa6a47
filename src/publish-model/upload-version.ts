import { DiatomError, messageOf } from '../errors.ts';
import { RECORD_FILE, SUMS_FILE, uploadingName } from '../model/model-folder.ts';
import { removeTemporary, textContent, type Verified } from '../owncloud/confirmed-writes.ts';
import { createFolder } from '../owncloud/ensure-folder.ts';
import { moveFolder } from '../owncloud/move-folder.ts';
import type { RemoteOptions } from '../owncloud/options.ts';
import { readText } from '../owncloud/read-file.ts';
import type { Remote } from '../owncloud/remote.ts';
import { remoteFolder, remotePath } from '../owncloud/remote-path.ts';
import { fileContent, putFiles } from '../owncloud/upload.ts';
import { type ExpectedFile, verifyFolder } from '../owncloud/verify-folder.ts';
import { allEnded } from '../parallel/all-ended.ts';
import { type LocalModel, type ModelFile, textFile } from './local-model.ts';
import { formatRecord, type VersionRecord } from './version-record.ts';

export interface VersionUpload {
  /** The model's folder. */
  readonly folder: string;
  readonly version: string;
  readonly model: LocalModel;
  /**
   * What its record says first, once nothing speaks against storing the version; `undefined` when a folder of that name is
   * there already. It comes with the version, so that no refused one is ever without its reason.
   */
  readonly record: Promise<VersionRecord> | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * Stores a model as a version: every file is verified, and only then does the folder get its name.
 * A version that is there already with the same sums is verified instead, so that a run can be repeated.
 *
 * @returns what the version's folder holds
 * @throws DiatomError `INPUT` when the version is there with other content; as `uploadFile` and `verifyFolder`
 */
export async function uploadVersion(
  remote: Remote,
  { folder, version, model, record, onProgress }: VersionUpload,
  options: RemoteOptions,
): Promise<ExpectedFile[]> {
  const files = [...model.files, textFile(SUMS_FILE, model.sums)];
  const expected = files.map(({ name, sha256, bytes, uploadSum }) => ({ name, sha256, stored: { bytes, uploadSum } }));
  const target = `${folder}/${version}`;
  if (!record) {
    if ((await readText(remote, remotePath(target, SUMS_FILE), options)) !== model.sums) {
      throw new DiatomError(
        'INPUT',
        `Input version: ${version} is there already at ${remote.rootUrl.host}, with other content, and a version is never overwritten. Choose another name; to promote the one that is there, run with promote-version: ${version}.`,
      );
    }
    await verifyFolder(remote, target, expected, options);
    return expected;
  }
  let verified: Verified;
  const uploading = `${folder}/${uploadingName(version)}`;
  try {
    const [known] = await allEnded([record, createFolder(remote, remoteFolder(uploading), options)]);
    const all = [textFile(RECORD_FILE, formatRecord(known)), ...files];
    verified = await storeFiles(remote, uploading, all, { ...options, onProgress });
    await moveFolder(remote, uploading, target, options);
  } catch (error) {
    await removeTemporary(remote, remoteFolder(uploading), options);
    const code = error instanceof DiatomError ? error.code : 'OWNCLOUD';
    throw new DiatomError(
      code,
      `The version ${version} was not stored, and production was not touched: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return verified === 'checksum' ? expected : expected.map(({ name, sha256 }) => ({ name, sha256 }));
}

async function storeFiles(
  remote: Remote,
  folder: string,
  files: readonly ModelFile[],
  options: RemoteOptions & Pick<VersionUpload, 'onProgress'>,
): Promise<Verified> {
  const total = sumOf(files.map(({ bytes }) => bytes));
  const sent = new Map<string, number>();
  const contentOf = ({ name, bytes, uploadSum, content }: ModelFile) => {
    if ('text' in content) return textContent(content.text);
    const onProgress = (done: number) => options.onProgress?.(sumOf([...sent.set(name, done).values()]), total);
    return fileContent(remote, { localPath: content.path, bytes, uploadSum }, { onProgress });
  };
  const contents = await Promise.all(files.map(async (file) => ({ name: file.name, content: await contentOf(file) })));
  return putFiles(remote, folder, contents, options);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
