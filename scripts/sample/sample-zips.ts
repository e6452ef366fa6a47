import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipArchive } from 'archiver';
import { drawDiatom } from './diatom-image.ts';
import { encodePng } from './png.ts';
import { createRandom } from './random.ts';
import { SPECIES, type Species } from './species.ts';

/** One entry of a file list, as users write it. */
export interface SampleEntry {
  readonly file_url: string;
  readonly downloaded_file_name: string;
  readonly exploded_folder_name: string;
  readonly species_label: string;
  readonly sha256?: string;
}

export interface Sample {
  /** Paths of the zips. */
  readonly zips: readonly string[];
  /** The sample's file list when the zips are served below `baseUrl`. */
  fileList(baseUrl: string): SampleEntry[];
}

interface SampleZip {
  readonly name: string;
  /** The folder with the images, as the file list names it. */
  readonly folder: string;
  readonly species: Species;
  readonly count: number;
  /** Where in the zip the image of this index lies; without an extension. */
  readonly path: (index: number) => string;
  /** What real zips also hold: name and content. */
  readonly extras?: Readonly<Record<string, string>>;
  /** Image that is packed a second time under another name. */
  readonly copy?: { readonly of: number; readonly path: string };
  readonly withSha256?: boolean;
}

const MAC_JUNK = 'Mac OS X        \u0002';
const pad = (index: number): string => String(index + 1).padStart(3, '0');

/** Each zip has a quirk of the zips that people really share. */
const ZIPS: readonly SampleZip[] = [
  {
    // Packed by a Mac, images in a folder a slide.
    name: 'navicula-2024.zip',
    folder: 'Navicula_tripunctata',
    species: SPECIES.navicula,
    count: 32,
    path: (index) => `Navicula_tripunctata/slide-${index < 16 ? '01' : '02'}/image_${pad(index % 16)}`,
    extras: {
      '__MACOSX/Navicula_tripunctata/slide-01/._image_001.png': MAC_JUNK,
      '__MACOSX/._Navicula_tripunctata': MAC_JUNK,
      'Navicula_tripunctata/.DS_Store': MAC_JUNK,
    },
  },
  {
    // The same species a year later, with equal file names.
    name: 'navicula-2025.zip',
    folder: 'Navicula_tripunctata',
    species: SPECIES.navicula,
    count: 24,
    path: (index) => `Navicula_tripunctata/slide-01/image_${pad(index)}`,
  },
  {
    // The largest class; packed by Windows, with a note beside the images.
    name: 'nitzschia.zip',
    folder: 'Nitzschia_linearis',
    species: SPECIES.nitzschia,
    count: 64,
    path: (index) => `Nitzschia_linearis/NLIN ${pad(index)}`,
    extras: {
      'Nitzschia_linearis/Thumbs.db': 'thumbnails',
      'Nitzschia_linearis/README.txt': 'Generated pictures that look like Nitzschia linearis. Not real specimens.\n',
    },
  },
  {
    // Images deep inside an export.
    name: 'cymbella.zip',
    folder: 'export/crops/Cymbella_cistula',
    species: SPECIES.cymbella,
    count: 44,
    path: (index) => `export/crops/Cymbella_cistula/cymbella-${pad(index)}`,
    extras: { 'export/settings.json': '{"scale":"0.1 um/px"}\n' },
  },
  {
    // The file list writes the folder with a capital letter.
    name: 'gomphonema.zip',
    folder: 'Gomphonema_truncatum',
    species: SPECIES.gomphonema,
    count: 42,
    path: (index) => `gomphonema_truncatum/${pad(index)}`,
  },
  {
    // The smallest class, with a checksum.
    name: 'hannaea.zip',
    folder: 'Hannaea_arcus',
    species: SPECIES.hannaea,
    count: 24,
    path: (index) => `Hannaea_arcus/HARC_${pad(index)}`,
    withSha256: true,
  },
  {
    // One image lies in it twice.
    name: 'cyclotella.zip',
    folder: 'Cyclotella_meneghiniana',
    species: SPECIES.cyclotella,
    count: 48,
    path: (index) => `Cyclotella_meneghiniana/cyclotella ${pad(index)}`,
    copy: { of: 4, path: 'Cyclotella_meneghiniana/cyclotella 005 (copy)' },
  },
];

/** Draws the sample's images and packs them into zips in `directory`; the same bytes in every run. */
export async function createSample(directory: string): Promise<Sample> {
  await mkdir(directory, { recursive: true });
  const entries: ((baseUrl: string) => SampleEntry)[] = [];
  for (const [index, zip] of ZIPS.entries()) {
    const bytes = await packZip(zip, index + 1);
    await writeFile(join(directory, zip.name), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    entries.push((baseUrl) => ({
      file_url: new URL(zip.name, baseUrl).href,
      downloaded_file_name: zip.name,
      exploded_folder_name: zip.folder,
      species_label: zip.species.label,
      ...(zip.withSha256 ? { sha256 } : {}),
    }));
  }
  return {
    zips: ZIPS.map(({ name }) => join(directory, name)),
    fileList: (baseUrl) => entries.map((entry) => entry(baseUrl)),
  };
}

async function packZip(zip: SampleZip, seed: number): Promise<Buffer> {
  const random = createRandom(seed);
  const archive = new ZipArchive();
  // A fixed date, so that the zips are the same in every run.
  const date = new Date('2025-05-01T12:00:00Z');
  for (let index = 0; index < zip.count; index++) {
    const data = encodePng(drawDiatom(zip.species, random));
    const paths = zip.copy?.of === index ? [zip.path(index), zip.copy.path] : [zip.path(index)];
    for (const path of paths) archive.append(data, { name: `${path}.png`, date, store: true });
  }
  for (const [name, content] of Object.entries(zip.extras ?? {})) archive.append(content, { name, date });
  const [bytes] = await Promise.all([buffer(archive), archive.finalize()]);
  return bytes;
}
