import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { FileDigest } from '../../src/files/digest-file.ts';
import type { GrowingFile } from '../../src/files/growing-file.ts';
import { temporaryFolder } from './owncloud.ts';

/** A real file that the test writes to while others read it. */
export async function growingFile() {
  const path = join(await temporaryFolder(), 'growing.zip');
  const file = await open(path, 'w');
  onTestFinished(() => file.close());
  const sums = { sha256: createHash('sha256'), sha1: createHash('sha1') };
  const complete = Promise.withResolvers<FileDigest>();
  let grown = Promise.withResolvers<void>();
  let bytes = 0;
  let ended = false;
  let asked = 0;
  complete.promise.then(tell, tell);

  function tell() {
    grown.resolve();
    grown = Promise.withResolvers();
  }

  const source: GrowingFile = {
    path,
    complete: complete.promise,
    async reach(wanted) {
      asked = Math.max(asked, wanted);
      while (bytes < wanted && !ended) await grown.promise;
      if (ended) await complete.promise;
      return bytes;
    },
  };
  return {
    source,
    /** The furthest byte that anybody has waited for. */
    asked: () => asked,
    async write(data: Buffer): Promise<void> {
      await file.write(data);
      sums.sha256.update(data);
      sums.sha1.update(data);
      bytes += data.length;
      tell();
    },
    finish(change: Partial<FileDigest> = {}): void {
      ended = true;
      complete.resolve({ bytes, sha256: sums.sha256.digest('hex'), uploadSum: sums.sha1.digest('hex'), ...change });
    },
    fail(error: Error): void {
      ended = true;
      complete.reject(error);
    },
  };
}

/** A file that is complete already, of bytes that differ from place to place. */
export async function completeFile(bytes: number) {
  const file = await growingFile();
  await file.write(testBytes(bytes));
  file.finish();
  return file;
}

/** Bytes that show it when pieces of them are exchanged. */
export function testBytes(bytes: number): Buffer {
  const data = Buffer.allocUnsafe(Math.ceil(bytes / 4) * 4);
  for (let at = 0; at < data.length; at += 4) data.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return data.subarray(0, bytes);
}
