import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DatasetImage, datasetJson, MANIFEST_HEADER, manifestLine } from '../../src/dataset/manifest.ts';
import { createTally } from '../../src/dataset/tally.ts';
import { count, OPTIONS, percent } from '../helpers/plan-sources.ts';

const IMAGE: DatasetImage = {
  path: 'train/Hannaea/1.png',
  label: 'Hannaea',
  split: 'train',
  sha256: 'ab'.repeat(32),
  bytes: 1234,
  width: 140,
  height: 30,
  sourceZip: 'h.zip',
  sourcePath: 'Hannaea/1.png',
  group: undefined,
  fault: undefined,
  crc32: 0xbeef,
};

function manifestCsv(images: readonly DatasetImage[]): string {
  return MANIFEST_HEADER + images.map(manifestLine).join('');
}

function countClasses(images: readonly Pick<DatasetImage, 'label' | 'split'>[]) {
  const tally = createTally();
  for (const image of images) tally.add({ ...image, source: 0, group: undefined });
  return tally.classes();
}

/** Reads CSV as RFC 4180 says. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)/gy;
  for (let match = field.exec(text); match; match = field.exec(text)) {
    rows.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\n') rows.push([]);
  }
  return rows.slice(0, -1);
}

describe('manifest.csv', () => {
  test('has a line an image', () => {
    const group = { ...IMAGE, split: 'test', width: undefined, height: undefined, group: 'Hannaea/s1' } as const;
    expect(manifestCsv([IMAGE, group])).toBe(
      [
        'path,label,split,sha256,bytes,width,height,source_zip,source_path,group,crc32,fault\n',
        `train/Hannaea/1.png,Hannaea,train,${'ab'.repeat(32)},1234,140,30,h.zip,Hannaea/1.png,,0000beef,\n`,
        `train/Hannaea/1.png,Hannaea,test,${'ab'.repeat(32)},1234,,,h.zip,Hannaea/1.png,Hannaea/s1,0000beef,\n`,
      ].join(''),
    );
  });

  test('is read back as it was, whatever the names hold', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é', ';', '=') });
    fc.assert(
      fc.property(text, text, text, (label, sourceZip, sourcePath) => {
        const rows = readCsv(manifestCsv([{ ...IMAGE, label, sourceZip, sourcePath }]));
        expect(rows).toHaveLength(2);
        // A spreadsheet would run what begins with “=” or a line end.
        const asText = (value: string) => (/^[=\r]/.test(value) ? `'${value}` : value);
        expect(rows[1]).toEqual([
          IMAGE.path,
          asText(label),
          'train',
          IMAGE.sha256,
          '1234',
          '140',
          '30',
          asText(sourceZip),
          asText(sourcePath),
          '',
          '0000beef',
          '',
        ]);
      }),
    );
  });
});

test('classes are counted in the order in which torchvision numbers them: by code point', () => {
  const images = (['z', 'Z', '\u{1F600}', '\uFF5E', 'a', 'Z'] as const).map((label, index) => ({
    label,
    split: index === 5 ? ('test' as const) : ('train' as const),
  }));
  expect([...countClasses(images)]).toEqual([
    ['Z', { train: 1, test: 1 }],
    ['a', { train: 1, test: 0 }],
    ['z', { train: 1, test: 0 }],
    ['\uFF5E', { train: 1, test: 0 }],
    ['\u{1F600}', { train: 1, test: 0 }],
  ]);
});

describe('dataset.json', () => {
  const dataset = {
    options: { ...OPTIONS, groupBy: /^([^_]+)_/u },
    imageExtensions: ['jpg', 'png'],
    sources: [
      {
        zipName: 'h.zip',
        sha256: 'cd'.repeat(32),
        folder: 'export/H',
        label: 'Hannaea',
        nTest: count(10),
        umPerPixel: 0.25,
      },
      { zipName: 'p.zip', sha256: 'ef'.repeat(32), folder: '', label: '__proto__', nTest: percent(20) },
    ],
    classes: countClasses([IMAGE, { ...IMAGE, split: 'test' }, { ...IMAGE, label: '__proto__' }]),
  };

  test('tells seed, options, sources and counts', () => {
    const json = datasetJson(dataset);
    expect(json.endsWith('}\n')).toBe(true);
    expect(JSON.parse(json)).toEqual({
      format: 1,
      seed: '1',
      options: {
        split: 'shuffle',
        group_by: '^([^_]+)_',
        duplicates: 'keep-together',
        label_conflicts: 'error',
        near_duplicates: 'report',
        image_extensions: ['jpg', 'png'],
      },
      sources: [
        {
          ...{ file_name: 'h.zip', sha256: 'cd'.repeat(32), folder: 'export/H', label: 'Hannaea', n_test: '10' },
          um_per_pixel: 0.25,
        },
        { file_name: 'p.zip', sha256: 'ef'.repeat(32), folder: '', label: '__proto__', n_test: '20%' },
      ],
      counts: {
        train: 2,
        test: 1,
        classes: JSON.parse('{"Hannaea":{"train":1,"test":1},"__proto__":{"train":1,"test":0}}'),
      },
    });
  });

  test('holds of a source nothing but what is named, so that no address can slip in', () => {
    const [source] = dataset.sources;
    if (!source) throw new Error('No source');
    const withMore = { ...source, fileUrl: 'https://SECRET', path: '/home/SECRET/h.zip' };
    expect(datasetJson({ ...dataset, sources: [withMore] })).not.toContain('SECRET');
  });
});
