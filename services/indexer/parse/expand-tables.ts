import { renderRow } from './blocks.ts';

const row = /^[ \t]*\|.*\|[ \t]*$/;
const delimiterRow = /^[ \t|:-]+$/;

/**
 * Returns the text with the header of each cell repeated in every row of its Markdown tables, as the Markdown parser does.
 * Otherwise a chunk with the end of a long table would hold numbers without names.
 */
export function expandTables(text: string): string {
  if (!text.includes('|')) return text;
  const lines = text.split('\n');
  const expanded: string[] = [];
  let header: string[] | undefined;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] as string;
    if (!row.test(line)) {
      header = undefined;
      expanded.push(line);
    } else if (header !== undefined) {
      const rendered = renderRow(header, cellsOf(line));
      if (rendered !== '') expanded.push(rendered);
    } else if (isDelimiter(lines[index + 1])) {
      header = cellsOf(line);
      index++;
      // A header without rows stays as a row.
      if (!row.test(lines[index + 1] ?? '')) expanded.push(renderRow([], header));
    } else {
      expanded.push(line);
    }
  }
  return expanded.join('\n');
}

function isDelimiter(line: string | undefined): boolean {
  return line?.includes('-') === true && delimiterRow.test(line) && row.test(line);
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.replaceAll('\\|', '|').replace(/<br\s*\/?>/gi, ' '));
}
