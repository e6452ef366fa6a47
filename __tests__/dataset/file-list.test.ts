import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { fileListJsonSchema, parseFileList } from '../../src/dataset/file-list.ts';
import { DiatomError } from '../../src/errors.ts';

const ENTRY = {
  file_url: 'https://cloud.example.org/s/SECRET?token=SECRET',
  downloaded_file_name: 'Hannaea.zip',
  exploded_folder_name: 'Hannaea',
  species_label: 'Hannaea',
};

function parse(list: unknown) {
  return parseFileList(JSON.stringify(list), 'input file-list');
}

/** The message with which a text is refused. */
function refusalOf(text: string): string {
  return failureMessage(() => parseFileList(text, 'input file-list'));
}

function failureMessage(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof DiatomError && error.code === 'FILE_LIST') return error.message;
    throw error;
  }
  throw new Error('The list was accepted');
}

/** The faults that a list is refused for, without the heading. */
function faultsOf(list: unknown): string[] {
  return refusalOf(JSON.stringify(list)).split('\n- ').slice(1);
}

function faultOf(changes: object): string {
  const faults = faultsOf([{ ...ENTRY, ...changes }]);
  expect(faults).toHaveLength(1);
  return faults[0] ?? '';
}

describe('the password of a public link', () => {
  const url = 'https://cloud.example.org/s/SECRET';
  const locked = { ...ENTRY, file_url: url, password: 'pä:ss/%41@' };
  const address = 'https://public:p%C3%A4%3Ass%2F%2541%40@cloud.example.org/s/SECRET';

  test('becomes the sign-in of its address, in JSON and in CSV', () => {
    expect(parse([locked])[0]?.fileUrl).toBe(address);
    const csv = `file_url,password,downloaded_file_name,exploded_folder_name,species_label\n${url},pä:ss/%41@,a.zip,a,a\n`;
    expect(parseFileList(csv, 'input file-list')[0]?.fileUrl).toBe(address);
  });

  test('counts for all entries with that zip', () => {
    const list = [locked, { ...ENTRY, file_url: url, exploded_folder_name: 'b', species_label: 'b' }];
    expect(parse(list).map(({ fileUrl }) => fileUrl)).toEqual([address, address]);
  });

  test.each([
    [[{ ...locked, password: '' }], /^entry 1, password: is empty/],
    [[{ ...locked, password: 4 }], /^entry 1, password: is a number, expected a text/],
    [[locked, { ...locked, password: 'other' }], /^entry 1, password: is another than in a later entry/],
    [[{ ...locked, file_url: 'https://a:b@cloud.example.org/a.zip' }], /^entry 1, password: file_url has a user name/],
  ])('%#: a fault is named, and nothing quoted', (list, fault) => {
    const faults = faultsOf(list);
    expect(faults).toEqual([expect.stringMatching(fault)]);
    expect(faults.join()).not.toMatch(/pä:ss|SECRET/);
  });
});

describe('what is read', () => {
  test('the four keys, and the two optional ones', () => {
    expect(parse([ENTRY])).toEqual([
      {
        fileUrl: ENTRY.file_url,
        downloadedFileName: 'Hannaea.zip',
        explodedFolderName: 'Hannaea',
        speciesLabel: 'Hannaea',
        sha256: undefined,
        nTest: undefined,
      },
    ]);
    const [entry] = parse([{ ...ENTRY, sha256: 'AB'.repeat(32), n_test: '20%' }]);
    expect(entry).toMatchObject({ sha256: 'ab'.repeat(32), nTest: { kind: 'percentage', percentage: 20 } });
  });

  describe('a table as spreadsheets save it', () => {
    const columns = ['file_url', 'downloaded_file_name', 'exploded_folder_name', 'species_label', 'n_test', 'sha256'];
    const table = (delimiter: string, ...rows: readonly (readonly string[])[]) =>
      [columns, ...rows].map((row) => row.join(delimiter)).join('\r\n');
    const cells = [ENTRY.file_url, 'Hannaea.zip', 'Hannaea', 'Hannaea'];

    test.each([
      ['with commas', table(',', [...cells, '', ''])],
      ['with semicolons and a mark', `\uFEFF${table(';', [...cells, '', ''])}\r\n`],
      ['with tabs', table('\t', cells)],
      ['with a line that names the separator', `sep=;\r\n${table(';', cells)}`],
      [
        'with quotes, spaces and empty lines',
        table(
          ',',
          cells.map((cell) => `" ${cell} "`),
          ['', '', '', '', '', ''],
          [''],
        ),
      ],
      ['with its header in capitals', table(',', cells).replace(/^.*/, (header) => header.toUpperCase())],
    ])('%s', (_, text) => {
      expect(parseFileList(text, 'list.csv')).toEqual(parse([ENTRY]));
      expect(parseFileList(gzipSync(text).toString('base64'), 'list.csv')).toEqual(parse([ENTRY]));
    });

    test.each([
      ['with bars', table('|', cells)],
      ['with the line for the separator between quotes', `"sep=;"\r\n${table(';', cells)}`],
      ['with remarks, empty lines and an empty row', `\r\n# ours\r\n,,,\r\n${table(',', cells, ['# Anna’s', ''])}`],
      [
        'with names of columns as people write them',
        table(',', cells).replace(/^.*/, 'File URL,Downloaded-File Name , exploded_folder_name,Species Label'),
      ],
      ['with a sign without a width at its beginning', `\u200b${table(',', cells)}`],
      [
        'saved once more where another separator is expected: each line is a cell',
        table(
          ',',
          cells.map((cell) => `"${cell}"`),
        )
          .split('\r\n')
          .map((line) => `"${line.replaceAll('"', '""')}"`)
          .join('\r\n'),
      ],
      ['with typographic quotes', table(',', [...cells.slice(0, 2), '“Hannaea”', '„Hannaea“'])],
    ])('%s', (_, text) => {
      expect(parseFileList(text, 'list.csv')).toEqual(parse([ENTRY]));
    });

    test.each([
      ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'a file of Excel (.xls)'],
      ['PK\x03\x04\x14\0\x06\0', 'a file of a spreadsheet (.xlsx, .ods, .numbers)'],
      ['PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet', 'a file of LibreOffice (.ods)'],
    ])('but not the own file of a spreadsheet: %j is %s', (bytes, words) => {
      const message = failureMessage(() => parseFileList(Buffer.from(bytes, 'latin1'), 'list.xlsx'));
      expect(message).toContain(
        `The file list (list.xlsx) is ${words} and not CSV. Open it there, save it as “CSV UTF-8”`,
      );
    });

    test('with the optional columns', () => {
      const text = table(';', [...cells, '20%', 'AB'.repeat(32)]);
      expect(parseFileList(text, 'list.csv')).toEqual(parse([{ ...ENTRY, n_test: '20%', sha256: 'AB'.repeat(32) }]));
    });

    test('its faults are reported like those of JSON', () => {
      expect(refusalOf(table(',', ['x', 'a/b.zip', 'Hannaea', 'Hannaea']))).toContain('entry 1, downloaded_file_name:');
      expect(refusalOf(table(',', [...cells, '5']).replace('n_test', 'ntest'))).toContain('unknown key “ntest”');
      expect(refusalOf(table(',', cells).replace('n_test', 'file_url'))).toContain('has the column file_url twice');
      expect(refusalOf(table(',', [...cells, '5', '', 'sp.']))).toContain(
        'entry 1: it has 7 cells, and the first line names 6',
      );
    });
  });

  test('UTF-16, as Windows PowerShell writes it, with and without a mark', () => {
    const text = JSON.stringify([ENTRY]);
    const little = Buffer.from(text, 'utf16le');
    for (const bytes of [
      little,
      Buffer.from(`\uFEFF${text}`, 'utf16le'),
      Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
    ]) {
      expect(parseFileList(bytes, 'list.json')).toEqual(parse([ENTRY]));
    }
  });

  test('another encoding is refused with the line: it would make other labels of the names', () => {
    const text = JSON.stringify([{ ...ENTRY, species_label: 'Navicula_kützingii' }], null, 2);
    const ansi = Buffer.from(text, 'latin1');
    expect(failureMessage(() => parseFileList(ansi, 'list.json'))).toContain('is not saved as UTF-8: line 6 has bytes');
    expect(failureMessage(() => parseFileList(ansi.toString('utf8'), 'input file-list'))).toContain('line 6');
    expect(failureMessage(() => parseFileList(gzipSync(ansi).toString('base64'), 'x'))).toContain('line 6');
  });

  test.each(['Navicula sp.', 'cf. lanceolata?', 'export/N. (a|b) "x"', 'x: y', 'export\\Hannaea\\'])(
    'the folder %s, as zips may have it',
    (folder) => {
      const [entry] = parse([{ ...ENTRY, exploded_folder_name: folder }]);
      expect(entry?.explodedFolderName).toBe(folder === 'export\\Hannaea\\' ? 'export/Hannaea' : folder);
    },
  );

  test('pretty JSON, a byte order mark and space around it', () => {
    expect(parseFileList(`\uFEFF\n ${JSON.stringify([ENTRY], null, 2)}\r\n\n`, 'list.json')).toEqual(parse([ENTRY]));
  });

  test('base64 of gzip, in one line or wrapped, with a byte order mark inside or not', () => {
    for (const mark of ['', '\uFEFF']) {
      const packed = gzipSync(mark + JSON.stringify([ENTRY])).toString('base64');
      expect(parseFileList(packed, 'input file-list')).toEqual(parse([ENTRY]));
      expect(parseFileList(`${packed.replace(/.{76}/g, '$&\n')}\n`, 'input file-list')).toEqual(parse([ENTRY]));
    }
  });

  test('the whole zip as “.”, nested folders, a slash at the end', () => {
    const folders = ['.', 'export/2026/Hannaea', 'Hannaea/'];
    const list = folders.map((folder, index) => ({
      ...ENTRY,
      downloaded_file_name: `${index}.zip`,
      exploded_folder_name: folder,
    }));
    expect(parse(list).map((entry) => entry.explodedFolderName)).toEqual(['.', 'export/2026/Hannaea', 'Hannaea']);
  });

  test('names and labels come out in one Unicode form', () => {
    const [entry] = parse([{ ...ENTRY, downloaded_file_name: 'A\u030A.zip', species_label: 'u\u0308' }]);
    expect(entry).toMatchObject({ downloadedFileName: '\u00C5.zip', speciesLabel: '\u00FC' });
  });

  test('one label in several entries', () => {
    const second = { ...ENTRY, downloaded_file_name: 'b.zip', species_label: 'Hannaea' };
    expect(parse([ENTRY, second])).toHaveLength(2);
  });

  test.each([
    [10, { kind: 'count', count: 10 }],
    ['10', { kind: 'count', count: 10 }],
    [0, { kind: 'count', count: 0 }],
    ['20%', { kind: 'percentage', percentage: 20 }],
    ['12.5 %', { kind: 'percentage', percentage: 12.5 }],
  ])('n_test %j', (value, nTest) => {
    expect(parse([{ ...ENTRY, n_test: value }])[0]?.nTest).toEqual(nTest);
  });

  test.each([
    [0.25, 0.25],
    ['0.25', 0.25],
    [1, 1],
  ])('um_per_pixel %j', (value, umPerPixel) => {
    expect(parse([{ ...ENTRY, um_per_pixel: value }])[0]?.umPerPixel).toBe(umPerPixel);
  });
});

describe('what is refused', () => {
  test('all faults of a list come in one message, each with its entry, counted from 1, and its key', () => {
    const { file_url: _, ...withoutUrl } = ENTRY;
    const list = [
      { ...withoutUrl, downloaded_file_name: 'a/b.zip', sha256: 'abc' },
      { ...ENTRY, species_labell: 'x', species_label: 'CON', n_test: -1 },
      { ...ENTRY, file_url: 'https://host/3', species_label: 'hannaea', exploded_folder_name: '/Hannaea' },
      'text',
      { ...ENTRY, file_url: 'ftp://host/x', downloaded_file_name: 'HANNAEA.zip' },
    ];
    expect(refusalOf(JSON.stringify(list))).toMatch(/^The file list \(input file-list\) has 12 faults:\n- /);
    expect(faultsOf(list).sort()).toEqual(
      [
        'entry 1, file_url: is missing',
        'entry 1, downloaded_file_name: “a/b.zip” is not a safe name: it holds the character /',
        'entry 1, sha256: is not a SHA-256 of 64 hexadecimal digits',
        'entry 2: unknown key “species_labell”. Did you mean species_label?',
        'entry 2, species_label: “CON” is not a safe name: it is reserved on Windows',
        'entry 2, n_test: is “-1”, allowed is a whole number from 0 (such as 10) or a percentage from 0% to 100% (such as 20%)',
        'entry 3, downloaded_file_name: “Hannaea.zip” is taken by entry 2; each zip needs its own',
        'entry 3, exploded_folder_name: “/Hannaea” is not a folder inside a zip, such as Hannaea or export/Hannaea',
        'entry 3, species_label: “hannaea” and “Hannaea” differ only in upper and lower case; write one of them',
        'entry 4: is a text, expected an object',
        'entry 5, file_url: is not an address that begins with http:// or https://',
        'entry 5, downloaded_file_name: “HANNAEA.zip” is taken by entry 2; each zip needs its own',
      ].sort(),
    );
  });

  test('a key that many entries have, as where a column is spelt wrong, is told once', () => {
    const list = [1, 2, 3].map((number) => ({
      ...ENTRY,
      file_url: `https://host/${number}`,
      downloaded_file_name: `${number}.zip`,
      ntest: 1,
    }));
    expect(faultsOf(list)).toEqual(['entry 1 and 2 more: unknown key “ntest”. Did you mean n_test?']);
  });

  test.each([
    ['file_url', 5, 'entry 1, file_url: is a number, expected a text'],
    ['species_label', null, 'entry 1, species_label: is null, expected a text'],
    ['exploded_folder_name', ['a'], 'entry 1, exploded_folder_name: is an array, expected a text'],
    ['n_test', true, 'entry 1, n_test: is a boolean, expected a number or a text'],
  ])('the wrong kind of value in %s', (key, value, fault) => {
    expect(faultOf({ [key]: value })).toBe(fault);
  });

  test.each(['abc', '1.5', 1.5, -1, '-1', '120%', '', '5 images', '٣'])('n_test %j', (value) => {
    expect(faultOf({ n_test: value })).toMatch(/^entry 1, n_test: is “.*”, allowed is a whole number from 0 /);
  });

  test.each([0, -1, 1001, '0,25', '0.25 µm', '1e-3', '0x1', ''])('um_per_pixel %j', (value) => {
    expect(faultOf({ um_per_pixel: value })).toMatch(
      /^entry 1, um_per_pixel: is “.*”, allowed is a number from 0.001 /,
    );
  });

  test.each([
    '',
    '.',
    '..',
    'a/b',
    'a\\b',
    'C:x',
    'a*',
    'a?',
    '"a"',
    'a<b',
    'a>b',
    'a|b',
    'a\tb',
    'a\u0000b',
    ' a',
    'a ',
    'a.',
    'nul',
    'com1.zip',
    'LPT9',
    'aux .zip',
    'x'.repeat(256),
    'ä'.repeat(128),
    '\ud800',
  ])('the unsafe name %j, as label and as download name', (name) => {
    expect(faultOf({ species_label: name })).toMatch(/^entry 1, species_label: .+ is not a safe name: it /);
    expect(faultsOf([{ ...ENTRY, downloaded_file_name: name }])[0]).toMatch(/^entry 1, downloaded_file_name: .+: it /);
  });

  test('a download name that leaves no room for the name of its unfinished form', () => {
    expect(parse([{ ...ENTRY, downloaded_file_name: `${'x'.repeat(241)}.zip` }])).toHaveLength(1);
    expect(faultOf({ downloaded_file_name: `${'x'.repeat(242)}.zip` })).toContain('is longer than 245 bytes');
    expect(faultOf({ downloaded_file_name: 'a.zip.part' })).toContain('kept for unfinished downloads');
    expect(faultOf({ downloaded_file_name: 'a.PART.json' })).toContain('kept for unfinished downloads');
  });

  test.each(['/a', 'a//b', '../a', 'a/../b', './a', 'a/b\\..\\c/..', ''])('the folder %j', (folder) => {
    expect(faultOf({ exploded_folder_name: folder })).toMatch(/is not a folder inside a zip/);
  });

  test('download names that differ only in case or Unicode form, which meet on Windows and macOS', () => {
    const names = ['Straße.zip', 'STRASSE.ZIP', 'STRAẞE.zip'];
    const named = (name: string, index: number) => {
      return { ...ENTRY, file_url: `https://host/${index}`, downloaded_file_name: name };
    };
    expect(faultsOf(names.map(named))).toHaveLength(2);
    expect(faultsOf(['\u00C5.zip', 'A\u030A.zip'].map(named))).toEqual([
      'entry 2, downloaded_file_name: “A\u030A.zip” is taken by entry 1; each zip needs its own',
    ]);
  });

  test('a list that is empty or no list', () => {
    expect(faultsOf([])).toEqual(['the list is empty: it needs at least one entry']);
    expect(faultsOf({ entries: [] })).toEqual(['the list is an object, expected an array']);
  });

  test('a key that would reach into JavaScript objects', () => {
    expect(refusalOf(`[{"__proto__":{},${JSON.stringify(ENTRY).slice(1)}]`)).toContain('unknown key “__proto__”');
  });

  test('a key that an entry has more than once, by entry and key and without its values', () => {
    const rest = JSON.stringify(ENTRY).slice(1);
    const list = `[${JSON.stringify({ ...ENTRY, downloaded_file_name: 'a.zip' })},
      {"species_label": "SECRET-1", "species\\u005flabel": "SECRET-2", "n_test": 1, "n_test": 2, ${rest}]`;
    expect(refusalOf(list).split('\n- ').slice(1)).toEqual([
      'entry 2: repeated key “species_label”; keep one of them',
      'entry 2: repeated key “n_test”; keep one of them',
    ]);
    expect(refusalOf(list)).not.toContain('SECRET');
    expect(refusalOf(gzipSync(list).toString('base64'))).toBe(refusalOf(list));
  });

  test('text that is neither JSON nor base64 of gzip, and gzip that is cut off', () => {
    expect(refusalOf('aGVsbG8=')).toContain(
      'neither JSON, which begins with “[”, nor CSV with the column file_url, nor base64',
    );
    const packed = gzipSync(JSON.stringify([ENTRY])).toString('base64');
    expect(refusalOf(' \n')).toBe('The file list (input file-list) is empty.');
    expect(refusalOf('<html>file_url</html>')).toContain('neither JSON');
    expect(refusalOf('https://example.org/SECRET.zip,a.zip,H,H')).toMatch(/neither JSON.*names its columns: file_url,/);
    expect(refusalOf('https://example.org/SECRET.zip,a.zip,H,H')).not.toContain('SECRET');
    expect(refusalOf(packed.slice(0, 80))).toContain('can’t be unpacked: it is cut off or damaged');
  });
});

describe('JSON with a fault', () => {
  test.each([
    ['[{"a": 1,}]', 1, 10],
    ['[\n  {"a": 1}\n  {"a": 2}\n]', 3, 3],
    ['\n\n[{"a": “SECRET”}]', 3, 8],
    ['\uFEFF[\r\n1,\r\n]', 3, 1],
    ["[{'file_url': 'SECRET'}]", 1, 3],
    ['[1', 1, 3],
    ['// SECRET\n[]', 1, 1],
  ])('%j is refused with line and column', (text, line, column) => {
    expect(refusalOf(text)).toMatch(new RegExp(`is not valid JSON: .+ at line ${line}, column ${column}\\. Common`));
  });

  test('an object a line is called that', () => {
    const line = JSON.stringify(ENTRY);
    expect(refusalOf(`${line}\n${line}\n`)).toContain('has an object a line (JSON Lines), expected one array');
  });

  test('its place is that in the packed text', () => {
    expect(refusalOf(gzipSync('[\n1 2]').toString('base64'))).toContain('at line 2, column 3.');
  });

  test('is always told by line and column, and no part of it is quoted', () => {
    const valid = JSON.stringify([ENTRY], null, 1);
    fc.assert(
      fc.property(
        fc.nat(valid.length - 1),
        fc.nat(3),
        fc.constantFrom('', ',', '“', '"', '}', ']', '{', '\\', '\n', '\u00A0', '0', '-', 'tru'),
        (at, length, put) => {
          const text = valid.slice(0, at) + put + valid.slice(at + length);
          fc.pre(!isJson(text));
          const message = refusalOf(text);
          expect(message).toMatch(
            /^The file list \(input file-list\) is not valid JSON: [a-z ]+ at line \d+, column \d+\./,
          );
          expect(message).not.toMatch(/SECRET|example|Hannaea/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('a message never shows an address', () => {
  const addresses = [
    'https://cloud.example.org/s/SECRET?token=SECRET',
    'HTTPS://user:SECRET@cloud.example.org/x',
    'ftp://cloud.example.org/SECRET',
    'https:/cloud.example.org/SECRET',
    '//cloud.example.org/SECRET',
    'www.example.org?SECRET',
    'cloud.example.org/s/SECRET',
    'cloud.example.org:8443/s/SECRET',
    'download?token=SECRET',
  ];

  test.each(addresses)('under whatever key it stands: %s', (address) => {
    for (const key of Object.keys({ ...ENTRY, sha256: 0, n_test: 0, um_per_pixel: 0 })) {
      for (const value of [address, [address], { [address]: address }]) {
        const list = [{ ...ENTRY, [key]: value, n_tset: address }, ENTRY];
        expect(refusalOf(JSON.stringify(list))).not.toContain('SECRET');
      }
    }
    expect(faultOf({ [address]: 1 })).toMatch(/unknown key the text there; allowed are/);
    expect(refusalOf(`[{"${address}":1,"${address}":2}]`)).toContain('entry 1: repeated key the text there;');
    expect(refusalOf(`[{"${address}":1,"${address}":2}]`)).not.toContain('SECRET');
    expect(refusalOf(JSON.stringify([address]))).not.toContain('SECRET');
    expect(refusalOf(JSON.stringify({ [address]: address }))).not.toContain('SECRET');
  });

  test('when two entries have it as name or label', () => {
    const both = { downloaded_file_name: addresses[0], species_label: addresses[0] };
    const upper = { ...both, species_label: addresses[0]?.toUpperCase() };
    const list = [
      { ...ENTRY, ...both },
      { ...ENTRY, ...upper },
    ];
    expect(refusalOf(JSON.stringify(list))).not.toContain('SECRET');
  });
});

describe('the JSON Schema', () => {
  const schema = z.fromJSONSchema(z.record(z.string(), z.unknown()).parse(fileListJsonSchema()));

  test('accepts what the validator accepts', () => {
    expect(schema.safeParse([{ ...ENTRY, n_test: '20%', sha256: 'aB'.repeat(32) }, ENTRY]).success).toBe(true);
  });

  test('agrees with the validator on whatever it can express', () => {
    const values = fc.constantFrom<unknown>(undefined, 'text', 5, null, [], {}, 'ab'.repeat(32));
    const entries = fc.record({
      file_url: fc.oneof(fc.constant(ENTRY.file_url), values),
      downloaded_file_name: fc.oneof(fc.constant('a.zip'), values),
      exploded_folder_name: fc.oneof(fc.constant('Hannaea'), values),
      species_label: fc.oneof(fc.constant('Hannaea'), values),
      sha256: fc.oneof(fc.constant(undefined), values),
      n_test: fc.oneof(fc.constant(undefined), fc.constant(10), values),
      other: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values }),
    });
    // What only the validator knows: names, folders and n-test that are text of the right kind and still wrong.
    const inWords = /is not an address|is taken by|n_test: is “|exploded_folder_name (takes|names)|classes: goes/;
    fc.assert(
      fc.property(entries, (entry) => {
        const list: unknown = JSON.parse(JSON.stringify([entry]));
        const faults = faultsOrNone(list).filter((fault) => !inWords.test(fault));
        expect(schema.safeParse(list).success).toBe(faults.length === 0 && !isBadUrl(entry.file_url));
      }),
      { numRuns: 1_000 },
    );
  });

  /** The schema's `format: uri` says so too. */
  function isBadUrl(value: unknown): boolean {
    return typeof value === 'string' && !URL.canParse(value);
  }

  function faultsOrNone(list: unknown): string[] {
    try {
      parse(list);
      return [];
    } catch {
      return faultsOf(list);
    }
  }
});
