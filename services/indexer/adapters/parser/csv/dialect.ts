const delimiters = [',', ';', '\t', '|'] as const;
const linesMax = 20;

/** How the fields of a file are separated. */
export interface Dialect {
  delimiter: string;
  /** Lines before the table: 1 if the first one names the delimiter (`sep=;`), as Excel writes it. */
  skippedLines: number;
}

/**
 * Returns the dialect of a file by its first lines. `given` is the delimiter that the ending or the media type names, which a `sep=` line
 * overrides.
 */
export function detectDialect(head: string, given: string | undefined): Dialect {
  const named = /^sep=(.)\r?(?:\n|$)/i.exec(head)?.[1];
  if (named !== undefined) return { delimiter: named, skippedLines: 1 };
  if (given !== undefined) return { delimiter: given, skippedLines: 0 };
  const lines = countFields(head);
  const [first] = lines;
  let best = { delimiter: ',' as string, score: 0 };
  for (const [index, delimiter] of delimiters.entries()) {
    const count = first?.[index] ?? 0;
    if (count === 0) continue;
    // The delimiter occurs as often in every line; the others are part of the text.
    const score = lines.filter((line) => line[index] === count).length / lines.length + count / 1000;
    if (score > best.score) best = { delimiter, score };
  }
  return { delimiter: best.delimiter, skippedLines: 0 };
}

/** Returns how often each delimiter occurs outside of quotes, for each of the first rows. */
function countFields(head: string): number[][] {
  const lines: number[][] = [];
  let counts = delimiters.map(() => 0);
  let isQuoted = false;
  let isEmpty = true;
  for (const character of head) {
    if (character === '"') isQuoted = !isQuoted;
    else if (character === '\n' && !isQuoted) {
      if (!isEmpty) lines.push(counts);
      if (lines.length >= linesMax) return lines;
      counts = delimiters.map(() => 0);
      isEmpty = true;
      continue;
    }
    if (character !== '\r') isEmpty = false;
    const index = isQuoted ? -1 : delimiters.indexOf(character as (typeof delimiters)[number]);
    if (index !== -1) counts[index] = (counts[index] ?? 0) + 1;
  }
  if (!isEmpty) lines.push(counts);
  return lines;
}
