import { cleanLine } from '../clean.ts';
import { knownNames, nameKey, names, textNames, titleNames } from '../metadata/names.ts';
import { failed, type Parsed, UnreadableError } from '../parser.ts';
import { parseRecord } from '../record.ts';
import type { Columns } from './columns.ts';

/** A row of a table below its names. `cells` throws UnreadableError if the row is damaged. */
export interface Row {
  cells(): readonly string[];
  /** First line, from 1. */
  line: number;
  /** Id of its document, unless the row gives one. */
  place: string;
}

/** Columns by which a table without titles names its rows. */
const namingColumn = /^(?:name|title|product|item|subject)|名称|品名|商品名|标题|主题|产品$/i;

const titleKeys = new Set<string>(titleNames);

/** Yields a document for each row. Rows with nothing but similar questions belong to the row before. */
export async function* parseRows(rows: AsyncIterable<Row>, columns: Columns): AsyncIterable<Parsed> {
  const hasId = columns.names.some((name) => nameKey(name) === 'id');
  const keys = columns.names.map(nameKey);
  let open: { values: Record<string, unknown>; similar: string[]; row: Row } | undefined;
  const close = function* (): Iterable<Parsed> {
    if (open === undefined) return;
    const { values, similar, row } = open;
    open = undefined;
    try {
      yield* parseRecord(similar.length === 0 ? values : { ...values, 'similar 0': similar }, row.place, row.line);
    } catch (error) {
      yield toFailure(error, row);
    }
  };
  const toFailure = (error: unknown, row: Row): Parsed => {
    if (!(error instanceof UnreadableError)) throw error;
    return failed(row.line, error, hasId ? undefined : row.place);
  };
  try {
    for await (const row of rows) {
      try {
        const cells = row.cells();
        const only = open === undefined ? undefined : similarOf(keys, cells);
        if (only !== undefined) open?.similar.push(only);
        else {
          yield* close();
          open = { values: valuesOf(columns, cells), similar: [], row };
        }
      } catch (error) {
        yield* close();
        yield toFailure(error, row);
      }
    }
  } catch (error) {
    // The table ends early; its last row is whole.
    yield* close();
    throw error;
  }
  yield* close();
}

const similarNames = new Set<string>(names.similar);
const isSimilar = (name: string) => similarNames.has(name.replace(/[ _-]?\d+$/, ''));

/** Returns the one similar question of a row that has nothing else; `undefined` for any other row. */
function similarOf(header: readonly string[], cells: readonly string[]): string | undefined {
  const filled = cells.flatMap((cell, index) => (cell.trim() === '' ? [] : [index]));
  const [only = -1] = filled;
  return filled.length === 1 && isSimilar(header[only] ?? '') ? cells[only] : undefined;
}

function valuesOf({ names: header, hasText, hasHeader }: Columns, cells: readonly string[]): Record<string, unknown> {
  // An answer with a comma that is not quoted would lose its end; in other tables a longer row is no damage.
  if (hasText && cells.length > header.length && cells.slice(header.length).some((cell) => cell !== '')) {
    throw new UnreadableError(
      `has ${cells.length} fields, but the ${hasHeader ? 'header' : 'first row'} has ${header.length}: quote fields that hold the separator`,
    );
  }
  const entries = header.flatMap((name, index) => (name === '' ? [] : [[name, cells[index] ?? ''] as const]));
  const values: Record<string, unknown> = Object.fromEntries(entries);
  if (hasText) return values;
  const isText = (name: string) => !knownNames.has(nameKey(name));
  const lines = cells.flatMap((cell, index) => {
    const text = cell.trim();
    const name = cleanLine(header[index] ?? '');
    if (text === '' || !isText(name)) return [];
    if (name === '') return [text];
    return [/\p{sc=Han}/u.test(name) ? `${name}：${text}` : `${name}: ${text}`];
  });
  const titleIndex = Math.max(
    0,
    header.findIndex((name) => namingColumn.test(name)),
  );
  const hasTitle = header.some((name) => titleKeys.has(nameKey(name)));
  const [textName] = textNames;
  return { ...(!hasTitle && { title: cells[titleIndex] ?? '' }), ...values, [textName]: lines.join('\n') };
}
