import { cp, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, readActionMetadata } from '../action-metadata.ts';
import { CASE_DEFINITIONS, imagesOf } from './cases.ts';
import { bytesOf, type ImageSet, makeZips } from './images.ts';
import { performancePage } from './page.ts';
import { CASES, type CaseName, openStore, type Place } from './results.ts';
import { makeOpenFolder } from './servers.ts';

const HELP = `Usage: npm run bench -- [options]

Measures the action, on Linux with apache2, curl, unzip, zip and Python with requests, and writes docs/performance.md from
all that was measured so far of the present bundle ("npm run build" makes it).
  --cases A,B    what to measure: ${CASES.join(', ')} (default: all); "none" only writes the page
  --rounds N     at most so many rounds of each (default 5; the slow ones get fewer)
  --quick        small sizes, one round: shows that everything works. The page goes to --cache
  --tmpfs FOLDER a folder in memory, to measure the program apart from the disk (default /dev/shm); "none" leaves it out
  --cache FOLDER where images and results are kept, on the disk to measure (default: a folder among the temporary files)
  --output FILE  the page (default: docs/performance.md)
`;

/** What has to fit: the zips, their copies, the images, the archive, the upload, and room to breathe. */
const COPIES = 6;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: CASES.join(',') },
      rounds: { type: 'string', default: '5' },
      quick: { type: 'boolean', default: false },
      tmpfs: { type: 'string', default: '/dev/shm' },
      cache: { type: 'string', default: join(tmpdir(), 'diatom-bench') },
      output: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const { quick } = values;
  const rounds = quick ? 1 : Number(values.rounds);
  if (!(rounds >= 1)) throw new Error('--rounds must be a number from 1');
  const cases = values.cases === 'none' ? [] : values.cases.split(',').map(caseName);
  const cache = await makeOpenFolder(resolve(values.cache));
  const store = openStore(cache, quick);
  const inputs = new Set(Object.keys(readActionMetadata('prepare-data').inputs));
  const bases: Readonly<Record<Place, string | undefined>> = {
    disk: cache,
    tmpfs: values.tmpfs === 'none' ? undefined : values.tmpfs,
  };

  /** Folders of cases that were measured. On the disk they are deleted in the end (`emptyFiles` says why). */
  const over: string[] = [];
  for (const name of cases) {
    const definition = CASE_DEFINITIONS[name];
    for (const place of definition.places) {
      const base = bases[place];
      if (base === undefined) continue;
      const label = `${name}, ${place}`;
      if (place === 'tmpfs' && !(await hasRoom(base, imagesOf(definition.largest(place), quick)))) {
        console.log(`${label}: left out, ${base} or the memory is too small`);
        continue;
      }
      console.log(`${label}:`);
      const start = performance.now();
      const folder = await makeOpenFolder(await mkdtemp(join(base, 'diatom-bench-run-')));
      await inFolder(folder, async () => {
        const zips = async (set: ImageSet): Promise<string> => {
          const made = await makeZips(cache, set);
          if (place === 'disk') return made;
          const copy = join(folder, basename(made));
          await cp(made, copy, { recursive: true, preserveTimestamps: true });
          return copy;
        };
        const measured = await definition.measure({ place, folder, quick, rounds, inputs, zips });
        store.save({ name, place, ...measured });
      }).catch((error: unknown) => {
        // The other cases take long, too: they are measured anyway.
        console.error(`${label}:`, error);
        process.exitCode = 1;
      });
      if (place === 'tmpfs') await rm(folder, { recursive: true });
      else over.push(folder);
      console.log(`${label}: ${Math.round((performance.now() - start) / 1_000)} s in all`);
    }
  }
  for (const folder of over) await rm(folder, { recursive: true });
  const output = values.output ?? (quick ? join(cache, 'performance-quick.md') : join(ROOT, 'docs', 'performance.md'));
  await writeFile(output, performancePage(store.load(), { bundle: store.bundle, folder: cache, quick }));
  console.log(`Written to ${output}`);
}

function caseName(text: string): CaseName {
  const name = CASES.find((one) => one.toLowerCase() === text.trim().toLowerCase());
  if (name === undefined) throw new Error(`--cases: there is no “${text}”, only ${CASES.join(', ')}`);
  return name;
}

async function hasRoom(folder: string, set: ImageSet): Promise<boolean> {
  const facts = await statfs(folder).catch(() => undefined);
  const needed = COPIES * bytesOf(set);
  return facts !== undefined && facts.bavail * facts.bsize > needed && freemem() > needed;
}

/** All that the programs keep for a time goes there too: what is measured is one place, not two. */
async function inFolder(folder: string, use: () => Promise<void>): Promise<void> {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  try {
    await use();
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

await main();
