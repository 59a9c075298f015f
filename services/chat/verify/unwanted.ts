import { AnswerDefect } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { lazy, readPassage } from './passage.ts';
import { claimOf } from './sentences.ts';

/** What a sentence must not come from, and what it must not have. */
export interface UnwantedSources {
  passages: readonly Passage[];
  /** Text that instructs the model. */
  systemText: string;
}

/** Returns the defect for which a sentence is withheld, whatever the policy; `undefined` if it has none. */
export type FindUnwanted = (sentence: string) => AnswerDefect | undefined;

/** Share of the words of a sentence that an instruction must have. */
const minShare = 0.8;
/** Fewer words than this are in any long text. */
const minEchoWords = 6;
/** The line around the evidence of a prompt. */
const fence = /=== ?evidence [\da-f]{8,}/i;
const activeMarkup =
  /<\s?\/?(?:script|iframe|object|embed|style|form|meta|link|base)\b|<[a-z][^>]{0,200}\son[a-z]{3,20}\s?=|\]\(\s{0,3}(?:javascript|data|vbscript):|\b(?:href|src)\s?=\s?["']?\s?(?:javascript|data|vbscript):/i;
const image =
  /!\[[^\]]{0,200}\]\(\s{0,3}<?(https?:\/\/[^\s)>]{1,500})|<img\b[^>]{0,200}\ssrc\s?=\s?["']?(https?:\/\/[^\s"'>]{1,500})/gi;

/** Creates the search for what must not be shown: an echo of the instructions, an obeyed document, active markup. */
export function createFindUnwanted({ passages, systemText }: UnwantedSources): FindUnwanted {
  const hidden = lazy(() => {
    const text = passages.map((passage) => readPassage(passage).hidden()).join('\n');
    return text.trim() === '' ? undefined : text;
  });
  const system = lazy(() => normalizeText(systemText, foldTraditional));
  const systemWords = lazy(() => new Set(tokenize(system(), { mode: 'index' })));
  const isShown = (address: string) => passages.some(({ text, url }) => url === address || text.includes(address));
  return (sentence) => {
    const addresses = [...sentence.matchAll(image)].map(([, markdown, html]) => markdown ?? html ?? '');
    if (activeMarkup.test(sentence) || !addresses.every(isShown)) return AnswerDefect.UNSAFE_MARKUP;
    const claim = normalizeText(claimOf(sentence), foldTraditional);
    const words = [...new Set(tokenize(claim, { mode: 'query' }))];
    if (fence.test(sentence)) return AnswerDefect.PROMPT_ECHO;
    if (words.length >= minEchoWords && shareOf(words, systemWords()) >= minShare && sharesRun(claim, system())) {
      return AnswerDefect.PROMPT_ECHO;
    }
    const instructions = hidden();
    if (instructions === undefined || words.length === 0) return undefined;
    if (shareOf(words, new Set(tokenize(instructions, { mode: 'index' }))) < minShare) return undefined;
    // What the rest of the documents says as well is no obedience.
    const isStated = passages.some((passage) => {
      const stated = new Set(tokenize(readPassage(passage).text(), { mode: 'index' }));
      return shareOf(words, stated) >= minShare;
    });
    return isStated ? undefined : AnswerDefect.OBEYED_DOCUMENT;
  };
}

const shareOf = (words: readonly string[], of: ReadonlySet<string>): number =>
  words.filter((word) => of.has(word)).length / words.length;

/** Returns whether half of a claim is in a text as one run. */
function sharesRun(claim: string, text: string): boolean {
  const length = Math.ceil(claim.length / 2);
  for (let start = 0; start + length <= claim.length; start += 4) {
    if (text.includes(claim.slice(start, start + length))) return true;
  }
  return false;
}
