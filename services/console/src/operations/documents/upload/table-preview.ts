/** Encodings to choose from; empty: the server finds out. */
export const encodings = ['', 'utf-8', 'gb18030', 'big5', 'shift_jis', 'windows-1252', 'utf-16le'] as const;

/** An encoding of a text. */
export type Encoding = (typeof encodings)[number];

/** What a column of a table can mean; the words of the contract (`FileHeader.columns`). */
export const meanings = ['id', 'title', 'question', 'text', 'similar', 'url', 'language', 'groups', 'updated'] as const;

/** First bytes of a table that are read for its preview. */
const previewBytes = 64 * 1024;
const previewRows = 6;

/** The beginning of a table. */
export interface TablePreview {
  columns: string[];
  rows: string[][];
  /** Whether there are signs that the encoding is another one. */
  isDoubtful: boolean;
}

/** Whether a file is a table of text, so that its columns can be seen before it is uploaded. */
export function isTextTable(path: string): boolean {
  return /\.(csv|tsv)$/i.test(path);
}

/** Reads the beginning of a table, as the server will read it with this encoding. */
export async function previewTable(content: Blob, encoding: Encoding): Promise<TablePreview> {
  const bytes = new Uint8Array(await content.slice(0, previewBytes).arrayBuffer());
  const text = new TextDecoder(encoding || guess(bytes)).decode(bytes);
  const isDoubtful = text.includes('\ufffd');
  const [columns = [], ...rows] = parseRows(text.replace(/^\ufeff/, ''), previewRows);
  return { columns, rows, isDoubtful };
}

function guess(bytes: Uint8Array): string {
  try {
    // The end of the beginning may cut a character.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return 'utf-8';
  } catch {
    return 'gb18030';
  }
}

/** Parses rows with the separator that the first line has most of. Quotes may hold separators and line ends. */
function parseRows(text: string, limit: number): string[][] {
  const firstLine = text.split('\n', 1)[0] ?? '';
  const separators = [',', ';', '\t', '|'];
  const countOf = (sign: string) => firstLine.split(sign).length;
  const separator = separators.reduce((best, sign) => (countOf(sign) > countOf(best) ? sign : best));
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let at = 0; at < text.length && rows.length < limit; at++) {
    const sign = text[at] ?? '';
    if (isQuoted) {
      if (sign === '"' && text[at + 1] === '"') cell += text[at++];
      else if (sign === '"') isQuoted = false;
      else cell += sign;
    } else if (sign === '"' && cell === '') isQuoted = true;
    else if (sign === separator || sign === '\n') {
      row.push(cell.replace(/\r$/, ''));
      cell = '';
      if (sign === '\n') {
        rows.push(row);
        row = [];
      }
    } else cell += sign;
  }
  if (rows.length < limit && (cell !== '' || row.length > 0)) rows.push([...row, cell]);
  return rows;
}
