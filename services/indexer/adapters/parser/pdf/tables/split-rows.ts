import { rowsOf, type Word } from '../layout/words.ts';
import { isNumeric } from './table.ts';

// Some tables have lines between their columns only, or around groups of rows. What such lines enclose is several rows of the table if numbers are
// one below the other in it; text is in several lines because it is long.

/** A field of a grid that is in one row of it. */
export interface FieldWords {
  column: number;
  words: readonly Word[];
}

/** Returns the words of the fields of one row of the grid for each row of the table; one row if it is only one. */
export function splitRow<Field extends FieldWords>(fields: readonly Field[]): { field: Field; words: Word[] }[][] {
  const whole = [fields.map((field) => ({ field, words: [...field.words] }))];
  const lines = fields.map((field) => ({ field, rows: rowsOf(field.words) }));
  const numeric = lines.filter(({ rows }) => {
    const texts = rows.map(({ segments }) => segments.map(({ text }) => text).join(' '));
    return rows.length >= 2 && texts.filter(isNumeric).length * 2 >= rows.length;
  });
  if (numeric.length === 0) return whole;
  const baselines = mergeNear(numeric.flatMap(({ rows }) => rows.map(({ baseline }) => baseline)));
  // One column of numbers may be a list within a cell; columns agree on rows.
  const agreeing = numeric.filter(({ rows }) => rows.length >= baselines.length * 0.5);
  if (baselines.length < 2 || (agreeing.length < 2 && fields.length > 2)) return whole;
  return baselines.map((baseline, index) => {
    const above = baselines[index - 1] ?? Number.NEGATIVE_INFINITY;
    return lines.flatMap(({ field, rows }) => {
      // A label in several lines has its numbers beside the last of them.
      const own = rows.filter((row) => {
        const isLast = index === baselines.length - 1;
        return row.baseline > above + near && (row.baseline <= baseline + near || isLast);
      });
      const words = own.flatMap(({ segments }) => segments.flatMap((segment) => segment.words));
      return words.length === 0 ? [] : [{ field, words }];
    });
  });
}

/** Distance in points of baselines of one row. */
const near = 3;

function mergeNear(values: readonly number[]): number[] {
  const merged: number[] = [];
  for (const value of [...values].sort((a, b) => a - b)) {
    if (merged.length === 0 || value - (merged.at(-1) as number) > near) merged.push(value);
  }
  return merged;
}
