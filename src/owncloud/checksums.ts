/** How servers say the sum of an upload. */
import { UPLOAD_SUM, UPLOAD_SUM_DIGITS } from '../files/upload-sum.ts';
import type { Product } from './server-status.ts';

const NAME = UPLOAD_SUM.toUpperCase();
const LISTED = new RegExp(`${NAME}:([0-9a-f]{${UPLOAD_SUM_DIGITS}})`, 'i');

/** ownCloud and Infinite Scale compare it and refuse what differs; Nextcloud only remembers it. */
export function checksumHeader(uploadSum: string): { readonly 'oc-checksum': string } {
  return { 'oc-checksum': `${NAME}:${uploadSum}` };
}

/** What makes Nextcloud answer with the sum of what it got (apps/dav/lib/Connector/Sabre/File.php). */
export function askForSum(product: Product | undefined): Readonly<Record<string, string>> {
  return product === 'nextcloud' ? { 'x-hash': UPLOAD_SUM } : {};
}

/** The sum in Nextcloud's answer. */
export function answeredSum(headers: { get(name: string): string | null }): string | undefined {
  return headers.get(`x-hash-${UPLOAD_SUM}`)?.toLowerCase();
}

/** In the metadata of an upload by TUS. */
export function tusChecksum(uploadSum: string): string {
  return `${UPLOAD_SUM} ${uploadSum}`;
}

/** `<oc:checksums><oc:checksum>SHA1:… MD5:… ADLER32:…</oc:checksum></oc:checksums>`, as the library's parser gives it. */
export function sumIn(checksums: unknown): string | undefined {
  return LISTED.exec(JSON.stringify(checksums ?? ''))?.[1]?.toLowerCase();
}
