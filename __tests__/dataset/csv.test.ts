import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvField, parseCsv } from '../../src/dataset/csv.ts';

const rows = (text: string) => parseCsv(text).map((row) => Object.fromEntries(row));

test('a table is read by its header, whatever the line ends, and with a byte order mark', () => {
  const expected = [
    { a: '1', b: 'x' },
    { a: '2', b: '' },
  ];
  expect(rows('a,b\n1,x\n2,\n')).toEqual(expected);
  expect(rows('a,b\r\n1,x\r\n2,')).toEqual(expected);
  expect(rows('\uFEFFa,b\n1,x\n\n2,\n')).toEqual(expected);
});

test('a field in quotes holds commas, line ends and quotes', () => {
  expect(rows('a,b\n"1,2","say ""hi""\nthere"\n')).toEqual([{ a: '1,2', b: 'say "hi"\nthere' }]);
});

test('a column that a row lacks is not there', () => {
  expect(rows('a,b\n1\n')).toEqual([{ a: '1' }]);
  expect(rows('')).toEqual([]);
});

test('text that is no CSV comes to an end', () => {
  expect(rows('a,b\n1,"x"y\n2,z\n')[0]).toMatchObject({ a: '1' });
});

test('every text survives being written and read', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 2, maxLength: 2 })), (table) => {
      const text = ['a,b', ...table.map((row) => row.map((field) => csvField(field)).join(','))].join('\n');
      expect(parseCsv(`${text}\n`).map((row) => [...row.values()])).toEqual(table);
    }),
  );
});

test('what a spreadsheet would run is written as a text, and read as it was', () => {
  expect(['=1+1', '+a', '-a', '@a', '\ta', "'=a"].map((text) => csvField(text))).toEqual([
    "'=1+1",
    "'+a",
    "'-a",
    "'@a",
    "'\ta",
    "''=a",
  ]);
  expect([csvField(-1), csvField("'a"), csvField('a=1')]).toEqual(['-1', "'a", 'a=1']);
  expect(rows("a,b\n'=1+1,''=a\n'a,x\n")).toEqual([
    { a: '=1+1', b: "'=a" },
    { a: "'a", b: 'x' },
  ]);
});

test('quotation marks that are never closed are characters like any other', () => {
  expect(rows('a,b\n1,"x\n2,z\n')).toEqual([
    { a: '1', b: '"x' },
    { a: '2', b: 'z' },
  ]);
});
