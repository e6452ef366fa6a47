import { DiatomError } from '../errors.ts';
import { csvRecords } from './csv.ts';

/** Spreadsheets separate with the list separator of the country, or with tabs when a table is copied. */
const DELIMITERS = [',', ';', '\t'] as const;

/** Without it, a table is no file list. */
const REQUIRED_COLUMN = 'file_url';

/** The first line that Excel writes, or wants, where the separator is not the country's. */
const SEPARATOR_LINE = /^sep=([,;\t])\r?\n/i;

/** Whether a text is a table and not JSON: its first line names the columns. */
export function isFileListCsv(text: string): boolean {
  const [first = ''] = text.replace(SEPARATOR_LINE, '').split(/\r\n|\r|\n/, 1);
  return !/^\s*[[{/]/.test(first) && first.toLowerCase().includes(REQUIRED_COLUMN);
}

/**
 * A file list as a spreadsheet saves it: a header line with the names of the keys, and a line for each zip. Empty cells
 * count as not there, empty lines are passed over.
 *
 * @returns an array of objects, to be checked like the one of a JSON list
 * @throws DiatomError `FILE_LIST` when the header has one name twice, or a line has more cells than it
 */
export function parseFileListCsv(text: string, where: string): Record<string, string>[] {
  const mark = SEPARATOR_LINE.exec(text);
  const body = mark ? text.slice(mark[0].length) : text;
  const [header = [], ...rows] = csvRecords(body, DELIMITERS.find((known) => known === mark?.[1]) ?? delimiterOf(body));
  const names = header.map((name) => name.trim().toLowerCase());
  const repeated = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new DiatomError('FILE_LIST', `The file list (${where}) has the column ${repeated} twice: keep one of them.`);
  }
  return rows.flatMap((row, index) => {
    const cells = row.map((cell) => cell.trim());
    if (cells.every((cell) => cell === '')) return [];
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
function delimiterOf(text: string): (typeof DELIMITERS)[number] {
  const [first = ''] = text.split(/\r\n|\r|\n/, 1);
  const count = (delimiter: string) => first.split(delimiter).length;
  return DELIMITERS.reduce((best, next) => (count(next) > count(best) ? next : best));
}
