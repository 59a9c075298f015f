import { readFileSync } from 'node:fs';

/** A message with what it is. */
export interface Utterance {
  readonly act: string;
  readonly text: string;
  /** The line that it is made from. Variants of one line are never in both training and test. */
  readonly phrasing: string;
}

/** Reads utterances-zh.txt and utterances-en.txt: a heading for each act, then lines in which `{a|b}` is several messages. */
export function readUtterances(language: 'zh' | 'en'): Utterance[] {
  const lines = readFileSync(new URL(`utterances-${language}.txt`, import.meta.url), 'utf8').split('\n');
  const utterances: Utterance[] = [];
  let act = '';
  for (const line of lines) {
    if (line.startsWith('# ')) act = line.slice(2);
    else if (line !== '') {
      for (const text of new Set(variantsOf(line))) utterances.push({ act, text, phrasing: `${act}: ${line}` });
    }
  }
  return utterances;
}

/** Returns every text that a line with `{a|b}` means. */
export function variantsOf(line: string): string[] {
  const choice = /\{([^{}]*)\}/.exec(line);
  if (choice === null) return [line.trim()];
  const [all, list = ''] = choice;
  const [before, after] = [line.slice(0, choice.index), line.slice(choice.index + all.length)];
  return list.split('|').flatMap((option) => variantsOf(before + option + after));
}
