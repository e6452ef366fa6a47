import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { alternate, type Bench, inFreshFolder, type Measured, type Variant, withInputs, zipSizes } from './bench.ts';
import { measureDataset } from './dataset.ts';
import { bytesOf, type ImageSet } from './images.ts';
import { secondsOfLooking } from './look.ts';
import { runCopy, runDownload, runFirstVersion, runFloor, runOurs, runShell, runUpload } from './pipelines.ts';
import { measurePublish } from './publish.ts';
import type { CaseName, Place } from './results.ts';
import { type Servers, type Site, startLimitedServers, startServers } from './servers.ts';
import { measureStart } from './start.ts';
import { measureUpload } from './upload.ts';

/** What the cases work on; the second is for `--quick`. */
const SETS = {
  base: [
    { kind: 'png', images: 1_000, imageBytes: 100_000 },
    { kind: 'png', images: 30, imageBytes: 100_000 },
  ],
  /** Four times the bytes. */
  larger: [
    { kind: 'png', images: 4_000, imageBytes: 100_000 },
    { kind: 'png', images: 120, imageBytes: 100_000 },
  ],
  /** Twice the bytes: what a tmpfs in the memory has room for. */
  twice: [
    { kind: 'png', images: 2_000, imageBytes: 100_000 },
    { kind: 'png', images: 60, imageBytes: 100_000 },
  ],
  small: [
    { kind: 'png', images: 1_000, imageBytes: 14_000 },
    { kind: 'png', images: 30, imageBytes: 14_000 },
  ],
  /** Seven times the images of `small`, about the bytes of `base`. */
  many: [
    { kind: 'png', images: 7_000, imageBytes: 14_000 },
    { kind: 'png', images: 210, imageBytes: 14_000 },
  ],
  tiny: [
    { kind: 'png', images: 5_000, imageBytes: 4_000 },
    { kind: 'png', images: 200, imageBytes: 4_000 },
  ],
  tiff: [
    { kind: 'tiff', images: 20, imageBytes: 20_000_000 },
    { kind: 'tiff', images: 12, imageBytes: 400_000 },
  ],
} satisfies Record<string, [ImageSet, ImageSet]>;

type SetName = keyof typeof SETS;

/** The images of a set in the size that is measured. */
export function imagesOf(name: SetName, quick: boolean): ImageSet {
  return SETS[name][quick ? 1 : 0];
}

/** B: what each of the two links lets through. */
export const LINK_BYTES_PER_SECOND = 40e6;

export interface Case {
  readonly places: readonly Place[];
  /** The largest set that it works on in a place: what has to fit there several times. */
  readonly largest: (place: Place) => SetName;
  measure(bench: Bench): Promise<Measured>;
}

export const CASE_DEFINITIONS: Readonly<Record<CaseName, Case>> = {
  start: { places: ['disk'], largest: () => 'small', measure: measureStart },
  A: { places: ['disk', 'tmpfs'], largest: () => 'base', measure: measureComparison },
  B: { places: ['disk'], largest: () => 'base', measure: measureLimited },
  C: { places: ['disk', 'tmpfs'], largest: (place) => (place === 'disk' ? 'larger' : 'twice'), measure: measureGrowth },
  D: { places: ['disk', 'tmpfs'], largest: () => 'tiny', measure: measureTiny },
  E: { places: ['disk'], largest: () => 'tiff', measure: measureTiff },
  F: { places: ['disk', 'tmpfs'], largest: () => 'base', measure: measureRerun },
  'low-disk': { places: ['disk'], largest: () => 'larger', measure: measureLowDisk },
  look: { places: ['disk'], largest: () => 'base', measure: measureLook },
  publish: { places: ['disk'], largest: () => 'small', measure: measurePublish },
  upload: { places: ['disk'], largest: () => 'base', measure: measureUpload },
  dataset: {
    places: ['disk'],
    largest: () => 'larger',
    measure: (bench) => measureDataset(bench, imagesOf('larger', bench.quick)),
  },
};

/** A: against what one would do by hand, and against the first version. */
async function measureComparison(bench: Bench): Promise<Measured> {
  const zips = await bench.zips(imagesOf('base', bench.quick));
  return withServers(zips, bench.folder, async ({ apache, chunked }) => {
    const [often, seldom] = bench.place === 'disk' ? [5, 3] : [3, 1];
    const inputs = { 'keep-data': 'false' };
    const withoutData = withInputs(bench, ['keep-data'], {
      'ours-nodata': ours(chunked, often, inputs),
      'ours-put-nodata': ours(apache, often, inputs),
    });
    const runs = await alternate(bench, {
      ours: ours(chunked, often),
      'ours-put': ours(apache, often),
      ...withoutData.variants,
      shell0: shell(chunked, often, 0),
      'shell0-put': shell(apache, often, 0),
      shell6: shell(chunked, seldom, 6),
      python: { rounds: seldom, site: chunked, run: (workspace) => runFirstVersion(chunked, workspace) },
      floor: floor(chunked, seldom),
      'floor-put': floor(apache, seldom),
    });
    return { runs, facts: await zipSizes(zips), missing: withoutData.missing };
  });
}

/** B: both links are limited by the servers. */
async function measureLimited(bench: Bench): Promise<Measured> {
  const zips = await bench.zips(imagesOf('base', bench.quick));
  const servers = await startLimitedServers(zips, bench.folder, LINK_BYTES_PER_SECOND);
  try {
    const { chunked, whole } = servers;
    let archiveBytes = 0;
    const onArchive = (bytes: number) => {
      archiveBytes = bytes;
    };
    const runs = await alternate(bench, {
      ours: ours(chunked, 5, {}, onArchive),
      'ours-put': ours(whole, 3),
      download: { rounds: 2, site: whole, run: (workspace) => runDownload(whole, workspace) },
      upload: { rounds: 2, site: whole, run: (workspace) => runUpload(whole, workspace, archiveBytes) },
    });
    return { runs, facts: { ...(await zipSizes(zips)), archiveBytes }, missing: [] };
  } finally {
    await servers.close();
  }
}

/** C: more bytes, more images. */
async function measureGrowth(bench: Bench): Promise<Measured> {
  const more = bench.place === 'disk' ? 'larger' : 'twice';
  const open: Servers[] = [];
  try {
    const serve = async (set: SetName): Promise<Site> => {
      const zips = await bench.zips(imagesOf(set, bench.quick));
      const servers = await startServers(zips, await mkdtemp(join(bench.folder, 'servers-')));
      open.push(servers);
      return servers.chunked;
    };
    const [base, larger, small, many] = [
      await serve('base'),
      await serve(more),
      await serve('small'),
      await serve('many'),
    ];
    const runs = await alternate(bench, {
      base: ours(base, 5),
      larger: ours(larger, 5),
      small: ours(small, 5),
      many: ours(many, 5),
      'floor-base': floor(base, 3),
      'floor-larger': floor(larger, 3),
    });
    const factor = bytesOf(imagesOf(more, bench.quick)) / bytesOf(imagesOf('base', bench.quick));
    const imagesFactor = imagesOf('many', bench.quick).images / imagesOf('small', bench.quick).images;
    return { runs, facts: { factor, imagesFactor }, missing: [] };
  } finally {
    for (const servers of open) await servers.close();
  }
}

/** D: images that are hardly larger than what a file system needs for each. */
async function measureTiny(bench: Bench): Promise<Measured> {
  const zips = await bench.zips(imagesOf('tiny', bench.quick));
  return withServers(zips, bench.folder, async ({ chunked }) => {
    const runs = await alternate(bench, {
      ours: ours(chunked, 5),
      shell0: shell(chunked, 5, 0),
      floor: floor(chunked, 5),
    });
    return { runs, facts: await zipSizes(zips), missing: [] };
  });
}

/** E: large images that compress. */
async function measureTiff(bench: Bench): Promise<Measured> {
  const zips = await bench.zips(imagesOf('tiff', bench.quick));
  return withServers(zips, bench.folder, async ({ chunked }) => {
    let archiveBytes = 0;
    const onArchive = (bytes: number) => {
      archiveBytes = bytes;
    };
    const runs = await alternate(bench, {
      ours: ours(chunked, 1, {}, onArchive),
      shell0: shell(chunked, 1, 0),
      shell6: shell(chunked, 1, 6),
      floor: floor(chunked, 1),
    });
    return { runs, facts: { ...(await zipSizes(zips)), archiveBytes }, missing: [] };
  });
}

/** F: everything is in the runner's tool cache already. */
async function measureRerun(bench: Bench): Promise<Measured> {
  const zips = await bench.zips(imagesOf('base', bench.quick));
  const servers = await startLimitedServers(zips, bench.folder);
  const lasting = await startServers(zips, await mkdtemp(join(bench.folder, 'lasting-')));
  try {
    const site = servers.chunked;
    const toolCache = await mkdtemp(join(bench.folder, 'tool-cache-'));
    const rerun = (inputs: Readonly<Record<string, string>>): Variant => ({
      rounds: 5,
      site,
      run: (workspace) => runOurs(site, workspace, { inputs: { upload: 'false', ...inputs }, toolCache }),
    });
    const withoutData = withInputs(bench, ['keep-data'], { 'ours-nodata': rerun({ 'keep-data': 'false' }) });
    await inFreshFolder(bench, rerun({}));
    // As a schedule has it: what was made the last time stays on the server, and nothing is kept here.
    const inputs = { 'keep-data': 'false' };
    const scheduled: Variant = { rounds: 5, site, run: (workspace) => runOurs(lasting.apache, workspace, { inputs }) };
    const standing = withInputs(bench, ['keep-data', 'upload'], { 'ours-standing': scheduled });
    await inFreshFolder(bench, scheduled);
    const before = await servers.sentBytes();
    const runs = await alternate(bench, {
      ours: rerun({}),
      ...withoutData.variants,
      ...standing.variants,
      floor: { rounds: 3, site, run: (workspace) => runCopy(site, workspace, zips) },
    });
    const sentBytes = (await servers.sentBytes()) - before;
    const missing = [...new Set([...withoutData.missing, ...standing.missing])];
    return { runs, facts: { ...(await zipSizes(zips)), sentBytes }, missing };
  } finally {
    await lasting.close();
    await servers.close();
  }
}

/** How little disk a set needs that is many times larger than its largest zip. */
async function measureLowDisk(bench: Bench): Promise<Measured> {
  const zips = await bench.zips(imagesOf('larger', bench.quick));
  return withServers(zips, bench.folder, async ({ chunked }) => {
    const lowDisk = withInputs(bench, ['keep-data', 'low-disk'], {
      ours: ours(chunked, 5, { 'keep-data': 'false', 'low-disk': 'true' }),
    });
    const runs = await alternate(bench, { ...lowDisk.variants, floor: floor(chunked, 1) });
    return { runs, facts: await zipSizes(zips), missing: lowDisk.missing };
  });
}

/** What it costs that every image is looked at, of the dearest format to look at: a PNG has a checksum of every byte. */
async function measureLook(bench: Bench): Promise<Measured> {
  const zips = await bench.zips(imagesOf('base', bench.quick));
  return withServers(zips, bench.folder, async ({ chunked }) => {
    const runs = await alternate(bench, { ours: ours(chunked, 3, { 'near-duplicates': 'off' }) });
    return { runs, facts: { lookSeconds: await secondsOfLooking(zips) }, missing: [] };
  });
}

function ours(
  site: Site,
  rounds: number,
  inputs: Readonly<Record<string, string>> = {},
  onArchive?: (bytes: number) => void,
): Variant {
  return {
    rounds,
    site,
    run: async (workspace) => {
      const figures = await runOurs(site, workspace, { inputs });
      onArchive?.(figures.archiveBytes);
      return figures;
    },
  };
}

function shell(site: Site, rounds: number, level: 0 | 6): Variant {
  return { rounds, site, run: (workspace) => runShell(site, workspace, level) };
}

function floor(site: Site, rounds: number): Variant {
  return { rounds, site, run: (workspace) => runFloor(site, workspace) };
}

async function withServers(
  zips: string,
  folder: string,
  use: (servers: Servers) => Promise<Measured>,
): Promise<Measured> {
  const servers = await startServers(zips, folder);
  try {
    return await use(servers);
  } finally {
    await servers.close();
  }
}
