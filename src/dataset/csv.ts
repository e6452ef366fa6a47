/**
 * Reads CSV (RFC 4180; LF or CRLF) with a header line. Each row becomes a map from column to value; a column that a row
 * lacks is not in its map. Empty lines are passed over.
 */
export function parseCsv(text: string): Map<string, string>[] {
  const [header = [], ...rows] = recordsOf(text).filter((record) => record.length > 1 || record[0] !== '');
  return rows.map(
    (row) => new Map(header.flatMap((name, index) => (row[index] === undefined ? [] : [[name, row[index]] as const]))),
  );
}

/** A field in quotes may hold commas, line ends and doubled quotes. */
function recordsOf(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  const body = text.replace(/^\uFEFF/, '');
  while (field.lastIndex < body.length || record.length > 0) {
    const [, quoted, plain = '', end = ''] = field.exec(body) ?? [];
    record.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === ',') continue;
    records.push(record);
    record = [];
    // Where the text is no CSV the expression matches nothing any more: what was read so far is all there is.
    if (field.lastIndex === 0) break;
  }
  return records;
}

/** One field, in quotes where it needs them. */
export function csvField(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
