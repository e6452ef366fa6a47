import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildZip } from '../helpers/zip-builder.ts';
import { drawPicture, type Species } from './pictures.ts';

/** A picture of the collection: what it shows, whatever its label says. */
export interface Specimen {
  readonly species: Species;
  readonly number: number;
}

/** The zips of labelled pictures that a group shares, as files in a folder that a server has, and the list of them. */
export interface Collection {
  /** Makes a zip, or replaces it. */
  put(zip: string, label: Species, specimens: readonly Specimen[]): Promise<void>;
  remove(zip: string): Promise<void>;
  /** What a zip holds now. */
  specimens(zip: string): readonly Specimen[];
  /** `FILE_LIST`, for zips that are served below `baseUrl`. */
  fileList(baseUrl: string): string;
}

export function openCollection(directory: string): Collection {
  const zips = new Map<string, { readonly label: Species; readonly specimens: readonly Specimen[] }>();
  return {
    put: async (zip, label, specimens) => {
      zips.set(zip, { label, specimens });
      const entries = specimens.map((specimen) => ({
        name: `${label}/${specimen.species}-${String(specimen.number).padStart(4, '0')}.png`,
        data: drawPicture(specimen.species, specimen.number),
      }));
      await writeFile(join(directory, zip), buildZip({ entries }));
    },
    remove: async (zip) => {
      zips.delete(zip);
      await rm(join(directory, zip));
    },
    specimens: (zip) => zips.get(zip)?.specimens ?? [],
    fileList: (baseUrl) =>
      JSON.stringify(
        [...zips].map(([zip, { label }]) => ({
          file_url: baseUrl + zip,
          downloaded_file_name: zip,
          exploded_folder_name: label,
          species_label: label,
        })),
      ),
  };
}

/** So many pictures of a species, beginning with the number `from`. */
export function specimensOf(species: Species, from: number, count: number): Specimen[] {
  return Array.from({ length: count }, (_, index) => ({ species, number: from + index }));
}

/** The SHA-256 of a picture of the collection, by which manifests name it. */
export function sha256Of({ species, number }: Specimen): string {
  return createHash('sha256').update(drawPicture(species, number)).digest('hex');
}
