import { DiatomError } from '../errors.ts';
import { closedToPrograms, filterOfPage } from './robot-filter.ts';
import { shareAdvice, shareServiceNamed, shareServiceOf } from './share-link.ts';
import type { ShareService } from './share-service.ts';
import { beginsLikeZip } from './zip-signature.ts';

/** Enough of a page to recognise whose it is; never more is read of an answer that is no zip. */
const SAMPLE_BYTES = 64 * 1024;

/**
 * Passes the chunks of a zip on as they come, once its first bytes are seen to be a zip's.
 *
 * @throws what `refuse` makes of the first bytes (up to 64 KiB; none for an empty body) when they are not.
 */
export async function* zipChunks(
  body: AsyncIterable<Buffer>,
  refuse: (sample: Buffer) => DiatomError,
): AsyncGenerator<Buffer, void, undefined> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of body) {
    if (!head) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const isZip = beginsLikeZip(head);
    if (isZip) {
      yield head;
      head = undefined;
    } else if (isZip === false && head.length >= SAMPLE_BYTES) {
      throw refuse(head);
    }
  }
  if (head) throw refuse(head);
}

/** Where an answer that should have been a zip came from. */
export interface AnswerOrigin {
  readonly asked: URL;
  /** After all redirects. */
  readonly answered: URL;
  readonly contentType: string | undefined;
}

/** Says in words what came instead of a zip: an empty file, a page of a service, or some other kind of file. */
export function notAZip(sample: Buffer, origin: AnswerOrigin): DiatomError {
  return new DiatomError('DOWNLOAD', describe(sample, origin));
}

function describe(sample: Buffer, { asked, answered, contentType }: AnswerOrigin): string {
  const host = answered.host;
  if (sample.length === 0) {
    return `The file on ${host} is empty (0 bytes), expected a zip: look at it where it is stored, and upload it there again.`;
  }
  const text = sample.toString('utf8');
  if (!/^text\/html\b/i.test(contentType ?? '') && !/^\s*<(!doctype|html|head|body|\?xml)/i.test(withoutMark(text))) {
    const kind = kindOf(sample);
    if (kind === '' && DIRECTORY_MARKS.some((mark) => sample.includes(mark, 0, 'latin1'))) {
      return `What ${host} sends ends like a zip but does not begin like one: it is the last part of a zip that was split into several files (.z01, .z02 … .zip). Ask its owner for the zip in one piece.`;
    }
    const part =
      kind === ''
        ? ' If it is one part of a zip that was split into several files (.z02, .zip.002), ask its owner for the zip in one piece.'
        : '';
    return `What ${host} sends is no zip: it begins with the bytes ${hex(sample)}${kind}, a zip begins with 50 4B 03 04 (“PK”). Put the images into a .zip file and share that.${part}`;
  }
  const filter = filterOfPage(text);
  if (filter !== undefined) return closedToPrograms(host, filter, shareServiceOf(answered) ?? shareServiceOf(asked));
  if (/quota exceeded|too many users have viewed or downloaded/i.test(text)) {
    return `${host} sends a page instead of the zip: too many downloads of this file within the last day, and Google Drive has closed it for up to 24 hours. Try again tomorrow, or share a copy of the file, or another place for it.`;
  }
  const service = shareServiceOf(answered) ?? shareServiceOf(asked) ?? serviceOfPage(text);
  return `${host} sends a web page instead of the zip, which looks like ${service?.page ?? OTHER_PAGE}. ${shareAdvice(service)}`;
}

/** What a zip's directory begins and ends with (APPNOTE.TXT 4.3.12, 4.3.16). */
const DIRECTORY_MARKS = ['PK\x01\x02', 'PK\x05\x06'];

const OTHER_PAGE = 'a sign-in page, an error page, or a page about the file';

/** Self-hosted services have any host name, so only their pages tell. */
function serviceOfPage(text: string): ShareService | undefined {
  if (/owncloud|nextcloud|opencloud/i.test(text)) return shareServiceNamed('owncloud');
  if (/sharepoint|login\.microsoftonline\.com/i.test(text)) return shareServiceNamed('microsoft');
  if (/seafile/i.test(text)) return shareServiceNamed('seafile');
  if (/dataverse/i.test(text)) return shareServiceNamed('dataverse');
  return undefined;
}

/** Other files that people share by mistake, by their first bytes. */
const OTHER_KINDS: readonly (readonly [string, string])[] = [
  ['\x1f\x8b', 'gzip'],
  ['Rar!', 'RAR'],
  ['7z\xbc\xaf', '7-Zip'],
  ['\xfd7zX', 'xz'],
  ['BZh', 'bzip2'],
  ['MZ', 'a Windows program; if it is an archive that unpacks itself, make a .zip instead'],
  ['\x28\xb5\x2f\xfd', 'Zstandard'],
  ['\x00\x00\x00\x18ftyp', 'a video or HEIC image'],
  ['%PDF', 'PDF'],
  ['\x89PNG', 'a PNG image'],
  ['\xff\xd8\xff', 'a JPEG image'],
  ['{', 'JSON text'],
];

function kindOf(sample: Buffer): string {
  const head = sample.toString('latin1', 0, 8);
  const kind = OTHER_KINDS.find(([signature]) => head.startsWith(signature))?.[1];
  // tar has its mark in the header of its first file (POSIX, “ustar Interchange Format”).
  const isTar = sample.toString('latin1', 257, 262) === 'ustar';
  return kind ? ` (${kind})` : isTar ? ' (tar)' : '';
}

function hex(sample: Buffer): string {
  return [...sample.subarray(0, 4)].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ');
}

/** Without the byte order mark that some servers put before a page. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, '');
}
