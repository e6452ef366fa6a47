import { DiatomError } from '../errors.ts';
import { csvRecords } from './csv.ts';

/** Spreadsheets separate with the list separator of the country, or with tabs when a table is copied; databases with bars. */
const DELIMITERS = [',', ';', '\t', '|'] as const;
type Delimiter = (typeof DELIMITERS)[number];

/** Without it, a table is no file list. */
const REQUIRED_COLUMN = 'file_url';

/** The first line that Excel writes, or wants, where the separator is not the country's. */
const SEPARATOR_LINE = /^"?sep=([,;\t|])"?(?:\r\n|\r|\n)/i;

/** Lines before the columns' names: empty ones, rows without a text, remarks. */
const LINES_BEFORE = /^(?:[\s,;|"]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))+/;

/** Whether a text is a table and not JSON: its first line names the columns. */
export function isFileListCsv(text: string): boolean {
  return openTable(text) !== undefined;
}

/** The records of a table, the columns' names first; `undefined` for any other text. */
function openTable(text: string): { readonly names: string[]; readonly rows: string[][] } | undefined {
  const mark = SEPARATOR_LINE.exec(text);
  const body = (mark ? text.slice(mark[0].length) : text).replace(LINES_BEFORE, '');
  if (/^[[{/<]/.test(body)) return undefined;
  const [header = [], ...rows] = recordsOf(
    body,
    DELIMITERS.find((known) => known === mark?.[1]),
  );
  const names = header.map(columnName);
  return names.includes(REQUIRED_COLUMN) ? { names, rows } : undefined;
}

/** Saved once more by a spreadsheet that expects another separator, each line is one cell: then it is opened again. */
function recordsOf(text: string, delimiter: Delimiter | undefined): string[][] {
  const records = csvRecords(text, delimiter ?? delimiterOf(text));
  const lines = records.flatMap((row) => row.filter((cell) => cell !== ''));
  const isLineACell = records.every((row) => row.filter((cell) => cell !== '').length <= 1);
  const [first = ''] = lines;
  if (!isLineACell || !DELIMITERS.some((known) => first.includes(known))) return records;
  return csvRecords(lines.join('\n'), delimiterOf(first));
}

/** `File URL` and `file-url` are read as `file_url`; signs without a width come from web pages. */
function columnName(text: string): string {
  return text
    .replace(/[\u200b-\u200d\u2060\ufeff]/g, '')
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, '_');
}

/** A cell without the space around it, and without the quotation marks that word processors make of plain ones. */
function cellText(text: string): string {
  return text
    .trim()
    .replace(/^[“„«](.*)[”“»]$/s, '$1')
    .trim();
}

/**
 * A file list as a spreadsheet saves it: a header line with the names of the keys, and a line for each zip. Empty cells
 * count as not there, empty lines and remarks (`#`) are passed over.
 *
 * @returns an array of objects, to be checked like the one of a JSON list
 * @throws DiatomError `FILE_LIST` when the header has one name twice, or a line has more cells than it
 */
export function parseFileListCsv(text: string, where: string): Record<string, string>[] {
  const { names, rows } = openTable(text) ?? { names: [], rows: [] };
  const repeated = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new DiatomError('FILE_LIST', `The file list (${where}) has the column ${repeated} twice: keep one of them.`);
  }
  return rows.flatMap((row, index) => {
    const cells = row.map(cellText);
    if (cells.every((cell) => cell === '') || cells[0]?.startsWith('#')) return [];
    if (cells.slice(names.length).some((cell) => cell !== '')) {
      throw new DiatomError(
        'FILE_LIST',
        `The file list (${where}), entry ${index + 1}: it has ${cells.length} cells, and the first line names ${names.length} columns. A text with a comma or semicolon in it stands between quotation marks.`,
      );
    }
    return [Object.fromEntries(names.flatMap((name, at) => (cells[at] && name !== '' ? [[name, cells[at]]] : [])))];
  });
}

/** The delimiter that divides the first line into most cells. */
function delimiterOf(text: string): Delimiter {
  const [first = ''] = text.split(/\r\n|\r|\n/, 1);
  const count = (delimiter: string) => first.split(delimiter).length;
  return DELIMITERS.reduce((best, next) => (count(next) > count(best) ? next : best));
}
