import type { GrowingFile } from '../files/growing-file.ts';
import { beginUploadSum } from '../files/upload-sum.ts';
import { NetworkError } from '../http/client.ts';
import { answeredSum, askForSum } from './checksums.ts';
import type { ChunkCost } from './chunk-size.ts';
import type { Endpoint } from './endpoint.ts';
import { type RemoteOptions, retrying, withSignal } from './options.ts';
import { chunkBody } from './upload-body.ts';

export interface ChunkRequest {
  readonly file: Pick<GrowingFile, 'path'>;
  /** Where in the file the piece begins. */
  readonly start: number;
  readonly bytes: number;
  /** Its path in `uploads`. */
  readonly path: string;
  /** Go with every request of the upload. */
  readonly headers: Readonly<Record<string, string>>;
  readonly stallTimeoutMs: number;
  /** Told how many more bytes the connection has taken; less than 0 when an attempt failed. */
  readonly onTaken: (bytes: number) => void;
  /** Told after how long the connection has taken the last byte, so that the answer alone is waited for; by each attempt. */
  readonly onSent: (ms: number) => void;
}

/**
 * Sends one piece of a file, again when that may help.
 *
 * A checksum goes with it for Nextcloud only, which makes a sum when asked so (apps/dav/lib/Connector/Sabre/File.php).
 * ownCloud 10 compares neither length nor checksum of a new piece (owncloud/core apps/dav/lib/Upload/UploadFolder.php and
 * Connector/Sabre/Directory.php, createFileDirectly), and its older versions refuse every piece with an OC-Checksum, since
 * they make sums of files only (lib/private/Files/Storage/Wrapper/Checksum.php, getChecksumRequirement).
 *
 * @returns what the attempt that worked took
 * @throws DiatomError `OWNCLOUD`, `DISK`, `NETWORK`, `CANCELLED`
 */
export async function putChunk(uploads: Endpoint, request: ChunkRequest, options: RemoteOptions): Promise<ChunkCost> {
  const { file, start, bytes, path, headers, stallTimeoutMs, onTaken, onSent } = request;
  const { host } = uploads.rootUrl;
  return retrying(options, async () => {
    const hash = uploads.product === 'nextcloud' ? beginUploadSum() : undefined;
    const began = performance.now();
    let [taken, sent] = [0, began];
    const data = chunkBody({
      file,
      start,
      bytes,
      host,
      stallTimeoutMs,
      onData: (portion) => hash?.update(portion),
      onProgress: (done) => {
        onTaken(done - taken);
        taken = done;
        if (done < bytes) return;
        sent = performance.now();
        onSent(sent - began);
      },
    });
    try {
      const answer = await uploads.client.customRequest(path, {
        method: 'PUT',
        data,
        headers: {
          ...headers,
          'content-type': 'application/octet-stream',
          'content-length': String(bytes),
          ...askForSum(uploads.product),
        },
        ...withSignal(options),
      });
      const sum = answeredSum(answer.headers);
      if (hash && sum && sum !== hash.digest('hex')) throw damaged(host);
    } catch (error) {
      onTaken(-taken);
      throw error;
    } finally {
      data.destroy();
    }
    const answered = performance.now();
    return { bytes, ms: answered - began, waitMs: answered - sent };
  });
}

function damaged(host: string): NetworkError {
  const message = `The server ${host} got other bytes of a piece of the file than were sent: a proxy on the way may alter them.`;
  return new NetworkError(message, { transient: true, cause: undefined });
}
