import { createHash, type Hash } from 'node:crypto';

/** The kind of sum by which servers compare what they got: all of them know SHA-1. How each says it: owncloud/checksums.ts. */
export const UPLOAD_SUM = 'sha1';
/** Of its hexadecimal form. */
export const UPLOAD_SUM_DIGITS = 40;

/** A sum that grows with the bytes that are sent. */
export function beginUploadSum(): Hash {
  return createHash(UPLOAD_SUM);
}
