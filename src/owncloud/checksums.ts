/** SHA-1 as the servers say it: the one sum that all of them know. */
import { createHash, type Hash } from 'node:crypto';
import type { Product } from './server-status.ts';

/** A sum that grows with the bytes that are sent. */
export function beginSum(): Hash {
  return createHash('sha1');
}

/** ownCloud and Infinite Scale compare it and refuse what differs; Nextcloud only remembers it. */
export function checksumHeader(sha1: string): { readonly 'oc-checksum': string } {
  return { 'oc-checksum': `SHA1:${sha1}` };
}

/** What makes Nextcloud answer with the sum of what it got (apps/dav/lib/Connector/Sabre/File.php). */
export function askForSum(product: Product | undefined): Readonly<Record<string, string>> {
  return product === 'nextcloud' ? { 'x-hash': 'sha1' } : {};
}

/** The sum in Nextcloud's answer. */
export function answeredSum(headers: { get(name: string): string | null }): string | undefined {
  return headers.get('x-hash-sha1')?.toLowerCase();
}

/** In the metadata of an upload by TUS. */
export function tusChecksum(sha1: string): string {
  return `sha1 ${sha1}`;
}

/** `<oc:checksums><oc:checksum>SHA1:… MD5:… ADLER32:…</oc:checksum></oc:checksums>`, as the library's parser gives it. */
export function sumIn(checksums: unknown): string | undefined {
  return /SHA1:([0-9a-f]{40})/i.exec(JSON.stringify(checksums ?? ''))?.[1]?.toLowerCase();
}
