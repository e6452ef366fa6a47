import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSides, type KnownImage, parseSides, sidesOfEntries, sidesOfManifest } from '../../src/dataset/sides.ts';
import { failureOf } from '../helpers/failure.ts';

const IMAGE: KnownImage = {
  sha256: 'ab'.repeat(32),
  crc32: 0xbeef,
  bytes: 1234,
  side: 'train',
  group: 'Hannaea/s1',
  label: 'Hannaea',
};

const anyImage: fc.Arbitrary<KnownImage> = fc.record({
  sha256: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
  crc32: fc.nat(2 ** 32 - 1),
  bytes: fc.maxSafeNat().map((bytes) => bytes % 10 ** 15),
  side: fc.constantFrom('train', 'test'),
  group: fc.option(fc.stringMatching(/^[a-zé",;='@ ]{1,8}$/), { nil: undefined }),
  label: fc.option(fc.stringMatching(/^[a-zé",;='@ ]{1,8}$/), { nil: undefined }),
});

describe('a sides file', () => {
  test('has a row an image, sorted, and no row twice', () => {
    const gone: KnownImage = { ...IMAGE, sha256: undefined, side: 'test', group: undefined, label: undefined };
    expect(formatSides([IMAGE, gone, IMAGE])).toBe(
      [
        'sha256,crc32,bytes,side,group,label\n',
        ',0000beef,1234,test,,\n',
        `${'ab'.repeat(32)},0000beef,1234,train,Hannaea/s1,Hannaea\n`,
      ].join(''),
    );
  });

  test('is read back as it was, and is the same whatever the order', () => {
    fc.assert(
      fc.property(fc.array(anyImage), (images) => {
        const text = formatSides(images);
        expect(formatSides(parseSides(text, 'a.sides.csv'))).toBe(text);
        expect(formatSides(images.toReversed())).toBe(text);
        expect(parseSides(text, 'a.sides.csv')).toEqual(expect.arrayContaining(images));
      }),
    );
  });

  test('may have been through a spreadsheet that ends its lines otherwise', () => {
    const text = `\uFEFF${formatSides([IMAGE]).replaceAll('\n', '\r\n')}`;
    expect(parseSides(text, 'a.sides.csv')).toEqual([IMAGE]);
  });

  test.each([
    ['', 'line 1', 'the columns sha256, crc32'],
    ['path,label\n', 'line 1', 'the columns'],
    [`${formatSides([IMAGE])}ab`, 'line 3', '6 values'],
    [`${formatSides([IMAGE])}\n\n`, 'line 3', '6 values'],
    [formatSides([IMAGE]).replace('abab', 'ABAB'), 'line 2', 'column sha256'],
    [formatSides([IMAGE]).replace('0000beef', 'beef'), 'line 2', 'column crc32'],
    [formatSides([IMAGE]).replace('1234', '-1'), 'line 2', 'column bytes'],
    [formatSides([IMAGE]).replace(',train,', ',both,'), 'line 2', 'train or test'],
  ])('that is damaged is refused, with its name and line: %j', async (text, line, expected) => {
    const { code, message } = await failureOf(() => parseSides(text, 'a.zip.sides.csv'));
    expect(code).toBe('DATA_SET');
    expect(message).toContain(`a.zip.sides.csv is damaged in ${line}: expected `);
    expect(message).toContain(expected);
  });
});

describe('the directory of an archive', () => {
  const file = (path: string) => ({ path, isFolder: false, crc32: 7, bytes: 9 });

  test.each(['', 'results/'])('tells the sides of its images, which lie below “%s”', (folder) => {
    const entries = [
      { ...file(`${folder}train/`), isFolder: true },
      file(`${folder}train/Hannaea/1.png`),
      file(`${folder}test/Navicula/2.png`),
      file(`${folder}manifest.csv`),
      file('downloads/train.zip'),
    ];
    expect(sidesOfEntries(entries, 'a.zip')).toEqual([
      { sha256: undefined, crc32: 7, bytes: 9, side: 'train', group: undefined, label: 'Hannaea' },
      { sha256: undefined, crc32: 7, bytes: 9, side: 'test', group: undefined, label: 'Navicula' },
    ]);
  });

  test('without images where a data set has them is refused', async () => {
    const { code, message } = await failureOf(() => sidesOfEntries([file('Hannaea/1.png')], 'other.zip'));
    expect(code).toBe('DATA_SET');
    expect(message).toContain('other.zip is not an archive of a data set');
  });
});

describe('a manifest', () => {
  const columns = 'path,label,split,sha256,bytes,width,height,source_zip,source_path,group';
  const line = `test/Hannaea/1.png,Hannaea,test,${'ab'.repeat(32)},1234,140,30,h.zip,"a,b.png",Hannaea/s1`;

  test('tells the sides of its images', () => {
    expect(sidesOfManifest(`${columns},crc32\n${line},0000beef\n`, 'manifest.csv')).toEqual([
      { ...IMAGE, side: 'test' },
    ]);
  });

  test('of earlier versions is refused, with what to give instead', async () => {
    const { code, message } = await failureOf(() => sidesOfManifest(`${columns}\n${line}\n`, 'manifest.csv'));
    expect(code).toBe('DATA_SET');
    expect(message).toContain('Give the archive that it is from instead');
  });
});
