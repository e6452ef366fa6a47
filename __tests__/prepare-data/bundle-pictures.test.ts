import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { imageSize } from 'image-size';
import { expect, test } from 'vitest';
import { prepareDataFixture } from '../helpers/prepare-data.ts';
import { grey16Tiff } from '../helpers/tiff.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const [WIDTH, HEIGHT] = [300, 200];

/** Grey noise with 16 bits, another one for each number. */
function noise(number: number): Uint16Array {
  let state = number + 1;
  return Uint16Array.from({ length: WIDTH * HEIGHT }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 16;
  });
}

/** TIFF with one strip, some 120 KB. */
function tiff(number: number): Buffer {
  return grey16Tiff(noise(number), WIDTH);
}

/** A list of so many labels with a zip each. */
function serve({ zips, fileList }: Awaited<ReturnType<typeof prepareDataFixture>>, count: number, images: number) {
  const url = (fileList[0]?.file_url ?? '').replace(/hannaea-1\.zip.*/, '');
  const list = Array.from({ length: count }, (_, label) => {
    const entries = Array.from({ length: images }, (_, at) => {
      const number = label * images + at;
      const png = () =>
        Buffer.from(encode({ width: WIDTH, height: HEIGHT, data: noise(number), channels: 1, depth: 16 }));
      return number % 2 === 0 ? { name: `s/${at}.tif`, data: tiff(number) } : { name: `s/${at}.png`, data: png() };
    });
    // One that no decoder reads: its pixels are packed in a way that doesn't exist.
    const odd = tiff(1_000 + label);
    odd.writeUInt32LE(40_000, odd.length - 4 - 12 * 9 + 12 * 3 + 8);
    writeFileSync(join(zips, `${label}.zip`), buildZip({ entries: [...entries, { name: 's/odd.tif', data: odd }] }));
    return {
      file_url: `${url}${label}.zip`,
      downloaded_file_name: `${label}.zip`,
      exploded_folder_name: 's',
      species_label: `Species ${String(label).padStart(2, '0')}`,
    };
  });
  return JSON.stringify(list);
}

test('the report of 16 classes of large TIFF and 16-bit PNG shows train and test of each, and what it can’t show', async () => {
  const fixture = await prepareDataFixture();
  const inputs = { 'file-list': serve(fixture, 16, 2), 'n-test': '1', upload: 'false' };
  const { exitCode, stdout } = await fixture.run(inputs);
  expect(exitCode, stdout).toBe(0);
  const page = readFileSync(join(fixture.workspace, 'data/results/report.html'), 'utf8');
  expect(Buffer.byteLength(page)).toBeLessThan(3_000_000);
  const sections = page.split('<section class="class"').slice(1);
  expect(sections).toHaveLength(16);
  for (const section of sections) {
    for (const side of ['train', 'test']) expect(section).toMatch(new RegExp(`href="${side}/Species`));
    expect(section.match(/<img /g)).toHaveLength(2);
    expect(section.match(/odd\.tif"><span class="not-shown">not shown: it can’t be decoded</g)).toHaveLength(1);
  }
  const [, first] = /src="data:image\/jpeg;base64,([^"]+)"/.exec(page) ?? [];
  const { width, height } = imageSize(Buffer.from(first ?? '', 'base64'));
  expect(width / height).toBeCloseTo(1.5, 1);
  expect(page).toMatch(/256–511<\/th>.*>48</);
  // Every link leads to an image of the data set.
  const links = [...page.matchAll(/<a href="((?:train|test)\/[^"]+)"/g)].map(([, link]) =>
    decodeURIComponent(link ?? ''),
  );
  expect(links).toHaveLength(48);
  for (const link of links)
    expect(readFileSync(join(fixture.workspace, 'data/results', link)).length).toBeGreaterThan(0);
}, 180_000);

test('the pictures are the same whatever is made first', async () => {
  const fixture = await prepareDataFixture();
  const inputs = { 'file-list': serve(fixture, 2, 3), 'n-test': '2', upload: 'false' };
  const one = await fixture.run({ ...inputs, concurrency: '1' });
  const other = await fixture.run({ ...inputs, concurrency: '8', 'archive-prefix': 'again' });
  expect(one.exitCode, one.stdout).toBe(0);
  expect(other.outputs['archive-sha256']).toBe(one.outputs['archive-sha256']);
});
