const SHOWABLE = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['bmp', 'image/bmp'],
  ['avif', 'image/avif'],
]);

/** The media type of an image file that every current browser shows, by its name; `undefined` for others (TIFF). */
export function showableMediaType(fileName: string): string | undefined {
  return SHOWABLE.get(/\.([a-z]+)$/i.exec(fileName)?.[1]?.toLowerCase() ?? '');
}
