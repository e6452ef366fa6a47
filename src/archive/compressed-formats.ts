/** Formats that are compressed in themselves, by the ends of file names. */
const COMPRESSED = new Set([
  'avif',
  'gif',
  'heic',
  'heif',
  'j2k',
  'jfif',
  'jp2',
  'jpe',
  'jpeg',
  'jpg',
  'jpx',
  'jxl',
  'jxr',
  'png',
  'webp',
  'zip',
]);

/** Whether the file is compressed already, by its name. A TIFF may be, or not: only its bytes tell. */
export function isCompressedFormat(name: string): boolean {
  return COMPRESSED.has(name.slice(name.lastIndexOf('.') + 1).toLowerCase());
}
