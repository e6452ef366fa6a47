import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseCsv } from '../../src/dataset/csv.ts';
import type { Page } from '../helpers/browser-page.ts';
import { openInChromium } from '../helpers/chromium.ts';
import { run } from '../helpers/commands.ts';
import { openInFirefox } from '../helpers/firefox.ts';
import { startServer } from '../helpers/loopback-server.ts';
import { testData } from '../helpers/test-data.ts';

/**
 * The page in a real browser and predict.py with packages from PyPI, side by side on real pictures. The network is a small
 * one (tiny.onnx): what could differ is what both make of a picture, and a small network hides no difference.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const TEMPLATE = join(ROOT, 'templates', 'model');
/** Browsers decode a JPEG by other rounding than Pillow: here and there, a colour is one of 255 off. */
const TOLERANCE = 0.0005;

let base: string;
let folder: string;
/** A model that takes the size of the pictures in µm. */
let sized: string;
let files: string[];
let fromPython: Table;

type Table = Awaited<ReturnType<typeof parseCsv>>;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'diatom-predict-'));
  folder = await makeModel('tiny.onnx', ['a', 'b', 'c', 'd']);
  sized = await makeModel('sized.onnx', ['a', 'b', 'c'], 'um');
  files = await unpackedPictures(join(base, 'pictures'));
  await run('python3', ['-m', 'venv', join(base, 'venv')]);
  await run(python(), ['-m', 'pip', 'install', '--quiet', 'numpy', 'onnxruntime', 'pillow']);
  fromPython = await predictInPython(folder);
});

afterAll(() => rm(base, { recursive: true, force: true }));

/** The folder of a model as training leaves it, with one of the small networks. */
async function makeModel(network: string, classes: readonly string[], unit?: string): Promise<string> {
  const folder = join(base, network);
  await mkdir(folder);
  for (const name of ['predict.py', 'preparation.py', 'calibration.py', 'counts.py']) {
    copyFileSync(join(TEMPLATE, name), join(folder, name));
  }
  const onnx = readFileSync(join(ROOT, '__tests__', 'predict-page', network));
  writeFileSync(join(folder, 'model.onnx'), onnx);
  writeFileSync(join(folder, 'classes.json'), JSON.stringify(classes));
  writeFileSync(join(folder, 'training.json'), JSON.stringify(unit === undefined ? {} : { size_input: { unit } }));
  const calibration = { temperature: 1.3, threshold: 0.98, wanted_precision: 0.95 };
  writeFileSync(join(folder, 'calibration.json'), JSON.stringify(calibration));
  const model = {
    ...{
      name: 'Plankton',
      classes,
      sizeInput: unit,
      imageSize: 224,
      temperature: 1.3,
      threshold: 0.98,
      wantedPrecision: 0.95,
    },
    onnx: { bytes: onnx.length, sha256: createHash('sha256').update(onnx).digest('hex') },
  };
  const page = readFileSync(join(TEMPLATE, 'predict.html'), 'utf8');
  const place = '<script type="application/json" id="model">null</script>';
  expect(page).toContain(place);
  writeFileSync(
    join(folder, 'predict.html'),
    page.replace(
      place,
      place.replace('null', () => JSON.stringify(model)),
    ),
  );
  return folder;
}

/** All pictures of the test data, in one folder, and small ones of other kinds. */
async function unpackedPictures(target: string): Promise<string[]> {
  await mkdir(target);
  const { directory } = testData();
  for (const zip of (await readdir(directory)).filter((name) => name.endsWith('.zip'))) {
    const unpacked = join(base, zip);
    await run('unzip', ['-q', '-j', join(directory, zip), '-x', '__MACOSX/*', '-d', unpacked]);
    for (const name of await readdir(unpacked)) {
      if (/\.(?:jpg|png)$/i.test(name)) copyFileSync(join(unpacked, name), join(target, `${zip}-${name}`));
    }
  }
  const { pictures } = z
    .object({ pictures: z.array(z.object({ name: z.string(), file: z.string() })) })
    .parse(JSON.parse(readFileSync(join(ROOT, '__tests__', 'predict-page', 'pictures.json'), 'utf8')));
  for (const { name, file } of pictures) writeFileSync(join(target, name), Buffer.from(file, 'base64'));
  return (await readdir(target)).map((name) => join(target, name));
}

const python = () => join(base, 'venv', 'bin', 'python');

async function predictInPython(model: string, ...options: readonly string[]): Promise<Table> {
  const table = join(base, 'predicted.csv');
  await run(python(), [join(model, 'predict.py'), join(base, 'pictures'), '--output', table, ...options]);
  return parseCsv(readFileSync(table, 'utf8'));
}

const STATUS = `document.getElementById('status').textContent`;

/** What the page wanted from elsewhere than its own memory. */
function asked(page: Page): string[] {
  return page.requests.filter((url) => !/^(?:blob|data):/.test(url));
}

/** What the button to save gives. */
async function savedTable(page: Page): Promise<Table> {
  const text = await page.evaluate(`new Promise((resolve) => {
    const create = URL.createObjectURL;
    URL.createObjectURL = (blob) => { blob.text().then(resolve); return create.call(URL, blob); };
    document.getElementById('save').click();
  })`);
  return parseCsv(z.string().parse(text));
}

function expectAsInPython(table: Table, expected = fromPython): void {
  expect(table).toHaveLength(expected.length);
  const mine = new Map(table.map((row) => [row.get('file'), row]));
  for (const theirs of expected) {
    const row = mine.get(theirs.get('file') ?? '');
    for (const column of ['class', 'second_class', 'error']) {
      expect(row?.get(column), theirs.get('file')).toBe(theirs.get(column));
    }
    for (const column of ['probability', 'second_probability']) {
      const difference = Math.abs(Number(row?.get(column)) - Number(theirs.get(column)));
      expect(difference, theirs.get('file')).toBeLessThanOrEqual(TOLERANCE);
    }
  }
}

describe.each([
  ['Chromium', openInChromium],
  ['Firefox', openInFirefox],
] as const)('predict.html in %s', (_, openPage) => {
  test('opened from the disk, says about every picture what predict.py says, and asks nobody for anything', async () => {
    const page = await openPage(pathToFileURL(join(folder, 'predict.html')).href);
    try {
      await page.until(`${STATUS}.startsWith('First drop model.onnx')`);
      await page.choose('#chooser', [join(folder, 'model.onnx')]);
      await page.until(`${STATUS}.startsWith('Ready')`);
      await page.choose('#chooser', files);
      await page.until(`${STATUS}.startsWith('Done')`);
      expect(files.length).toBeGreaterThan(100);
      expectAsInPython(await savedTable(page));
      // Firefox tells no request for a file.
      const own = pathToFileURL(join(folder, 'predict.html')).href;
      expect(asked(page).filter((url) => url !== own)).toEqual([]);
      expect(page.errors.filter((error) => !error.includes('blob:'))).toEqual([]);
    } finally {
      await page.close();
    }
  });

  test('from a web server, takes the model that lies beside it, and pictures at once', async () => {
    const server = await startServer((request, response) => {
      const name = request.url?.slice(1) ?? '';
      if (!['predict.html', 'model.onnx'].includes(name)) response.writeHead(404).end();
      else response.end(readFileSync(join(folder, name)));
    });
    const page = await openPage(`${server.origin}/predict.html`);
    try {
      await page.until(`${STATUS}.startsWith('Ready')`);
      await page.choose('#chooser', files);
      await page.until(`${STATUS}.startsWith('Done')`);
      expectAsInPython(await savedTable(page));
      expect(asked(page).filter((url) => !url.startsWith(server.origin))).toEqual([]);
    } finally {
      await page.close();
      await server.close();
    }
  });

  test('of a model that takes the size in µm, waits for the width of a pixel and then says what predict.py says', async () => {
    const page = await openPage(pathToFileURL(join(sized, 'predict.html')).href);
    try {
      await page.choose('#chooser', [join(sized, 'model.onnx'), ...files]);
      await page.until(`${STATUS}.includes('how many µm a pixel of them is wide')`);
      await page.evaluate(`(() => {
        const field = document.getElementById('um-per-pixel');
        field.value = '0.25';
        field.dispatchEvent(new Event('change'));
      })()`);
      await page.until(`${STATUS}.startsWith('Done')`);
      expectAsInPython(await savedTable(page), await predictInPython(sized, '--um-per-pixel', '0.25'));
    } finally {
      await page.close();
    }
  });

  test('refuses the file of another model, and says so', async () => {
    const page = await openPage(pathToFileURL(join(folder, 'predict.html')).href);
    try {
      const other = join(base, 'other.onnx');
      writeFileSync(other, Buffer.alloc(readFileSync(join(folder, 'model.onnx')).length));
      await page.choose('#chooser', [other]);
      await page.until(`${STATUS}.startsWith('This model.onnx is of another model')`);
    } finally {
      await page.close();
    }
  });
});
