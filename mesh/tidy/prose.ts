// Finds the prose of a file: what a person reads in it.

/** A piece of prose and its line, from 1. */
export interface Prose {
  readonly line: number;
  readonly text: string;
}

// Comments, then the three kinds of string, in the order in which they are met. A string of one word is a key, not prose.
const lexemes = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
const testTitle = /\b(?:test|describe|it)(?:\.\w+)*(?:\([^'"`\n]*\))?\(\s*$/;

/**
 * Returns the prose of a source file: comments, and strings of at least two words. Of a test's strings only the names of tests
 * count, because the others are data: questions and documents in everybody's words.
 */
export function proseOfSource(text: string, { isTest }: { isTest: boolean }): Prose[] {
  return [...text.matchAll(lexemes)].flatMap((match) => {
    const found = match[0];
    const isComment = found.startsWith('/');
    if (!isComment) {
      if (!/\w \w/.test(found) || /\b(SELECT|INSERT|UPDATE|DELETE|CREATE)\b/.test(found)) return [];
      if (isTest && !testTitle.test(text.slice(Math.max(0, match.index - 80), match.index))) return [];
    }
    return linesOf(found, lineAt(text, match.index));
  });
}

/** Returns the prose of a page or a proto file. Code blocks and quoted text of a page are examples, not prose. */
export function proseOfPage(text: string): Prose[] {
  const withoutCode = text
    .replace(/^(```|~~~)[\s\S]*?^\1/gm, (block) => block.replace(/[^\n]/g, ' '))
    .replace(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));
  return linesOf(withoutCode, 1);
}

/** Returns the comments of a proto file. */
export function proseOfProto(text: string): Prose[] {
  return text.split('\n').flatMap((line, index) => {
    const comment = /\/\/.*/.exec(line);
    return comment === null ? [] : [{ line: index + 1, text: comment[0] }];
  });
}

function linesOf(text: string, first: number): Prose[] {
  return text.split('\n').map((line, index) => ({ line: first + index, text: line }));
}

function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < index; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
