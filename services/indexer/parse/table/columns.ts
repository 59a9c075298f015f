import { cleanLine } from '../clean.ts';
import { knownNames, nameKey, textNames } from '../metadata/names.ts';
import { UnreadableError } from '../parser.ts';

/** What the columns of a table mean. */
export interface Columns {
  /** Name of each column, after the mapping of the upload; empty for a column without one. */
  names: readonly string[];
  /** Whether the first row holds the names. */
  hasHeader: boolean;
  /** Whether a column holds the text of a document; otherwise all of a row is its text. */
  hasText: boolean;
}

const nameLengthMax = 60;
const questionWords =
  /[?？]$|怎么|怎样|如何|什么|为何|多久|多少|哪[里些个]|吗$|^(?:how|what|why|when|where|which|who|can|do|does|is|are|may)\s/i;
const value = /^[\d\s.,%¥$€£/:+-]+$|[。！!；;]$/;

/**
 * Returns the columns of a table by its first row. `mapping` says what columns mean: by name, or by number from 1 in a table without
 * names. Throws UnreadableError if it names a column that does not exist.
 */
export function readColumns(first: readonly string[], mapping: Readonly<Record<string, string>> = {}): Columns {
  const row = first.map(cleanLine);
  const mapped = new Map(Object.entries(mapping).map(([name, meaning]) => [name.trim().toLowerCase(), meaning]));
  const isNumbered = mapped.size > 0 && [...mapped.keys()].every((name) => /^\d+$/.test(name));
  const keys = row.map((name, index) => (isNumbered ? String(index + 1) : name.toLowerCase()));
  const missing = [...mapped.keys()].find((name) => !keys.includes(name));
  if (missing !== undefined) {
    throw new UnreadableError(
      `columns: there is no column "${missing}": name one of ${keys.join(', ').slice(0, 200)}`,
      undefined,
      1,
    );
  }
  if (isNumbered)
    return of(
      keys.map((key) => mapped.get(key) ?? ''),
      false,
    );
  if (mapped.size > 0)
    return of(
      row.map((name) => mapped.get(name.toLowerCase()) ?? name),
      true,
    );
  if (isHeader(row)) return of(row, true);
  return of(isFaq(row) ? ['question', 'text'] : row.map(() => ''), false);
}

function of(names: readonly string[], hasHeader: boolean): Columns {
  const isText = isNameIn(textNames, names);
  return { names, hasHeader, hasText: names.some((name) => isText(name)) };
}

/** "q" and "a" name a question and its answer only together; alone they are letters. */
function isNameIn(known: Iterable<string>, row: readonly string[]): (name: string) => boolean {
  const lower = new Set(row.map(nameKey));
  const hasPair = lower.has('q') && lower.has('a');
  const names = new Set([...known].filter((name) => hasPair || (name !== 'q' && name !== 'a')));
  return (name) => names.has(nameKey(name));
}

/** Reports whether a first row names columns: by a known name, or because it looks like names and not like values. */
export function isHeader(row: readonly string[]): boolean {
  const filled = row.filter((cell) => cell !== '');
  const isKnown = isNameIn(knownNames, filled);
  if (filled.some((cell) => isKnown(cell))) return true;
  if (filled.length < 2 || new Set(filled).size < filled.length) return false;
  return filled.every((cell) => cell.length <= nameLengthMax && !questionWords.test(cell) && !value.test(cell));
}

function isFaq(row: readonly string[]): boolean {
  return row.length === 2 && questionWords.test(row[0] ?? '');
}
