/** A format of images, by the endings of its files' names. */
interface Format {
  /** Lower case. */
  readonly endings: readonly string[];
  /** Whether its files count as images when nobody says which do. */
  readonly isDefault: boolean;
  /** Whether it is compressed in itself. A TIFF may be, or not: only its bytes tell. */
  readonly isCompressed: boolean;
  /** Where every current browser shows it. */
  readonly mediaType?: string;
}

const FORMATS: readonly Format[] = [
  { endings: ['jpg', 'jpeg'], isDefault: true, isCompressed: true, mediaType: 'image/jpeg' },
  { endings: ['png'], isDefault: true, isCompressed: true, mediaType: 'image/png' },
  { endings: ['bmp'], isDefault: true, isCompressed: false, mediaType: 'image/bmp' },
  { endings: ['gif'], isDefault: true, isCompressed: true, mediaType: 'image/gif' },
  { endings: ['tif', 'tiff'], isDefault: true, isCompressed: false },
  { endings: ['webp'], isDefault: true, isCompressed: true, mediaType: 'image/webp' },
  { endings: ['avif'], isDefault: false, isCompressed: true, mediaType: 'image/avif' },
  { endings: ['heic', 'heif'], isDefault: false, isCompressed: true },
  { endings: ['jfif', 'jpe', 'j2k', 'jp2', 'jpx', 'jxl', 'jxr'], isDefault: false, isCompressed: true },
];

const BY_ENDING = new Map(FORMATS.flatMap((format) => format.endings.map((ending) => [ending, format] as const)));

/** Endings of the files that count as images when nobody says which do. */
export const DEFAULT_ENDINGS = FORMATS.flatMap(({ endings, isDefault }) => (isDefault ? endings : []));

/** Whether a file is a compressed image, by its name. */
export function isCompressedImage(fileName: string): boolean {
  return formatOf(fileName)?.isCompressed ?? false;
}

/** The media type of an image file that every current browser shows, by its name; `undefined` for others (TIFF). */
export function showableMediaType(fileName: string): string | undefined {
  return formatOf(fileName)?.mediaType;
}

function formatOf(fileName: string): Format | undefined {
  return BY_ENDING.get(/\.([a-z0-9]+)$/i.exec(fileName)?.[1]?.toLowerCase() ?? '');
}
