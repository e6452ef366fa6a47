import { parse } from 'csv-parse/sync';

/**
 * Reads CSV (RFC 4180; LF or CRLF) with a header line. Each row becomes a map from column to value; a column that a row
 * lacks is not in its map. Empty lines are passed over.
 */
export function parseCsv(text: string): Map<string, string>[] {
  const [header = [], ...rows] = csvRecords(text, ',');
  return rows.map(
    (row) =>
      new Map(
        header.flatMap((name, index) => (row[index] === undefined ? [] : [[name, asWritten(row[index])] as const])),
      ),
  );
}

/**
 * The cells of each line, the header's too. Where a quotation mark is never closed, quotation marks are taken for
 * characters like any other.
 */
export function csvRecords(text: string, delimiter: ',' | ';' | '\t' | '|'): string[][] {
  const options = {
    bom: true,
    delimiter,
    // By itself it takes the first line end for that of all, and a file may have been put together of two.
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  };
  try {
    return parse(text, options);
  } catch {
    return parse(text, { ...options, quote: null });
  }
}

/** What spreadsheets take for the beginning of a formula and may run (OWASP, “CSV Injection”), after the marks below. */
const FORMULA = /^'*[=+\-@\t\r]/;

/**
 * One field, in quotes where it needs them. Before a text that a spreadsheet would run stands an apostrophe, which makes
 * it a text there; `parseCsv` takes it away.
 */
export function csvField(value: string | number): string {
  const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function asWritten(field: string): string {
  return field.startsWith("'") && FORMULA.test(field) ? field.slice(1) : field;
}
