import type { Line } from './lines.ts';

/** A run inside a block. `start` is its place in the source, in UTF-16 code units. */
export type Inline =
  | { kind: 'text'; text: string; start: number }
  | { kind: 'code'; text: string; start: number }
  | { kind: 'strong' | 'emphasis'; children: Inline[] }
  | { kind: 'link'; href: string; children: Inline[] }
  /** A citation marker `[n]`. */
  | { kind: 'marker'; marker: number; start: number }
  | { kind: 'newline' };

/** Runs inside runs go no deeper; what is deeper stays as it was written. */
const maxDepth = 6;
/** Characters within which a run must close. */
const maxRun = 2000;

/** The runs of a line. */
export function parseLine(line: Line, open: boolean): Inline[] {
  return parseInlines(line.text.trimEnd(), line.start, open, 0);
}

function parseInlines(text: string, start: number, open: boolean, depth: number): Inline[] {
  const inlines: Inline[] = [];
  let plainFrom = 0;
  let index = 0;
  const plainUntil = (end: number) => {
    if (end > plainFrom) inlines.push({ kind: 'text', text: text.slice(plainFrom, end), start: start + plainFrom });
  };
  while (index < text.length) {
    const run = depth < maxDepth ? parseRun(text, index, start, open, depth) : undefined;
    if (run === undefined) {
      index++;
      continue;
    }
    plainUntil(index);
    if (run.inline !== undefined) inlines.push(run.inline);
    index = run.end;
    plainFrom = run.plainFrom ?? run.end;
  }
  plainUntil(text.length);
  return inlines;
}

interface Run {
  /** Absent for a backslash, which only vanishes. */
  inline?: Inline;
  end: number;
  plainFrom?: number;
}

/** Returns the run that begins at `index`; `undefined` if the character is plain text. */
function parseRun(text: string, index: number, start: number, open: boolean, depth: number): Run | undefined {
  switch (text[index]) {
    case '\\':
      if (!/[\\`*_[\]|#>~-]/.test(text[index + 1] ?? '')) return undefined;
      return { end: index + 2, plainFrom: index + 1 };
    case '`':
      return parseCodeRun(text, index, start);
    case '*':
      return parseStarRun(text, index, start, open, depth);
    case '[':
      return parseBracketRun(text, index, start, open, depth);
    case 'h':
      return parseAddressRun(text, index, start);
    default:
      return undefined;
  }
}

function parseCodeRun(text: string, index: number, start: number): Run | undefined {
  const fence = /^`+/.exec(text.slice(index, index + 8))?.[0] ?? '`';
  const end = findWithin(text, fence, index + fence.length);
  if (end < 0) return undefined;
  const from = index + fence.length;
  return { inline: { kind: 'code', text: text.slice(from, end), start: start + from }, end: end + fence.length };
}

function parseStarRun(text: string, index: number, start: number, open: boolean, depth: number): Run | undefined {
  const mark = text.startsWith('**', index) ? '**' : '*';
  const from = index + mark.length;
  if (!/\S/.test(text[from] ?? ' ')) return undefined;
  if (mark === '*' && /[A-Za-z0-9]/.test(text[index - 1] ?? '')) return undefined; // 2*3*4
  let end = findWithin(text, mark, from + 1);
  while (end > 0 && (/\s/.test(text[end - 1] ?? '') || (mark === '*' && text[end + 1] === '*'))) {
    end = findWithin(text, mark, end + 2);
  }
  const unfinished = end < 0 && open && mark === '**';
  if (end < 0 && !unfinished) return undefined;
  const inner = text.slice(from, unfinished ? text.length : end);
  const children = parseInlines(inner, start + from, open, depth + 1);
  const kind = mark === '**' ? 'strong' : 'emphasis';
  return { inline: { kind, children }, end: unfinished ? text.length : end + mark.length };
}

function parseBracketRun(text: string, index: number, start: number, open: boolean, depth: number): Run | undefined {
  const marker = /^\[(\d{1,3})\](?!\()/.exec(text.slice(index, index + 7));
  if (marker !== null) {
    return {
      inline: { kind: 'marker', marker: Number(marker[1]), start: start + index },
      end: index + marker[0].length,
    };
  }
  const link = /^\[([^[\]]{1,500})\]\(([^()\s]{1,2000})\)/.exec(text.slice(index, index + 2600));
  const href = safeHref(link?.[2]);
  if (link === null || href === undefined) return undefined;
  const children = parseInlines(link[1] ?? '', start + index + 1, open, depth + 1);
  return { inline: { kind: 'link', href, children }, end: index + link[0].length };
}

function parseAddressRun(text: string, index: number, start: number): Run | undefined {
  if (/[\p{L}\p{N}]/u.test(text[index - 1] ?? '')) return undefined;
  const address = /^https?:\/\/[\w\-.~:/?#@!$&'*+,;=%]+/
    .exec(text.slice(index, index + maxRun))?.[0]
    .replace(/[.,;:!?'*]+$/, '');
  const href = safeHref(address);
  if (address === undefined || href === undefined) return undefined;
  const child: Inline = { kind: 'text', text: address, start: start + index };
  return { inline: { kind: 'link', href, children: [child] }, end: index + address.length };
}

/** An address that a page may link to: http, https or mailto. `undefined` for all else, script above all. */
export function safeHref(href: string | undefined): string | undefined {
  if (href === undefined || !URL.canParse(href)) return undefined;
  return ['http:', 'https:', 'mailto:'].includes(new URL(href).protocol) ? href : undefined;
}

function findWithin(text: string, part: string, from: number): number {
  const end = text.indexOf(part, from);
  return end >= 0 && end - from <= maxRun ? end : -1;
}
