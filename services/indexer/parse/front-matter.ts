import { type Document, parseDocument } from 'yaml';
import { UnreadableError } from './parser.ts';

/** TOML, as Hugo has it. */
const tomlFenced = /^\+\+\+[ \t]*\n(?:[\s\S]*?\n)?\+\+\+[ \t]*(?:\n|$)/;
const aliasesMax = 100;
const fenced = /^---[ \t]*\n([\s\S]*?)\n?^(?:---|\.\.\.)[ \t]*(?:\n|$)/m;

/**
 * Returns the values of a text's YAML front matter, and the body after it. Throws UnreadableError if the front matter is broken:
 * it can hold the groups that may see the document, and a guess could show the document to everyone.
 */
export function splitFrontMatter(text: string): { values: Record<string, unknown>; body: string } {
  if (tomlFenced.test(text))
    throw new UnreadableError('the front matter is TOML: write it as YAML, between lines of "---"', undefined, 1);
  const match = text.startsWith('---') ? fenced.exec(text) : null;
  if (match === null || match.index !== 0) return { values: {}, body: text };
  const document = parse(match[1] as string);
  const problem = document.errors[0];
  if (problem !== undefined) {
    const line = (problem.linePos?.[0].line ?? 0) + 1;
    throw new UnreadableError(`the front matter is not YAML (${problem.code}): correct it`, undefined, line);
  }
  const values = toValues(document);
  // Between two horizontal rules there can also be text.
  if (typeof values === 'string') return { values: {}, body: text };
  if (values === null) return { values: {}, body: text.slice(match[0].length) };
  if (typeof values !== 'object' || Array.isArray(values)) {
    throw new UnreadableError('the front matter must be a mapping of names to values: correct it', undefined, 1);
  }
  return { values: values as Record<string, unknown>, body: text.slice(match[0].length) };
}

function toValues(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch {
    throw new UnreadableError(
      'the front matter has too many aliases, or one of nothing: write the values',
      undefined,
      1,
    );
  }
}

function parse(text: string): Document.Parsed {
  const document = parseDocument(text, { logLevel: 'silent' });
  if (document.errors.length === 0) return document;
  const quoted = parseDocument(text.replaceAll(plainWithColon, quote), { logLevel: 'silent' });
  return quoted.errors.length === 0 ? quoted : document;
}

/** A value on one line without quotation marks that has a colon and a space, as in "title: Ferry: fares". People mean a text. */
const plainWithColon = /^([\p{L}\p{N}_.-]{1,64}:[ \t]+)((?!["'[{|>&*!%@`#-])\S[^\n]{0,1000}:[ \t][^\n]{0,1000})$/gmu;

function quote(_: string, name: string, value: string): string {
  return `${name}${JSON.stringify(value.trimEnd())}`;
}
