import { Language, type Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type PassageText, type ReadPassageText, readPassageText } from '../passage/passage-texts.ts';
import { matchTerm, type SearchText } from '../passage/search-text.ts';
import type { Unit } from '../passage/units.ts';
import { isBrief, type Question } from '../question/question.ts';
import { rolesOf } from '../question/roles.ts';
import { fitTerms } from './fit-terms.ts';

/** A unit of a passage with its matches of a question's terms, each 0 to 1, in the order of the terms. */
export interface Candidate {
  unit: Unit;
  text: SearchText;
  /** Its place in the passage, from 0. */
  index: number;
  source: Source;
  /** By itself. */
  own: readonly number[];
  /** With the heading, question or line above it. */
  near: readonly number[];
  /** With these and the title of its document. */
  titled: readonly number[];
  /** With anything of its passage. */
  all: readonly number[];
}

/** A passage, read for a question. */
export interface Source {
  passage: Passage;
  /** Its place in the evidence, from 0. */
  rank: number;
  text: PassageText;
  isForeign: boolean;
  candidates: readonly Candidate[];
}

/** Evidence, read for a question. */
export interface Evidence {
  question: Question;
  sources: readonly Source[];
  /** Weight of each term: higher if it is rare among the units. */
  weights: readonly number[];
  /** Best match of each term anywhere in the evidence. */
  known: readonly number[];
  /** The question is short, and asks for nothing but what a heading and its title name: 运费多少钱. */
  isOfSection: boolean;
}

/** A paragraph up to this length is quoted as a whole: its sentences explain each other. In columns; a Chinese character takes two. */
export const maxParagraphLength = 260;

/** Bounds of a passage and of all passages, in UTF-16 code units: far more than a prompt has, and about 15 ms of work. */
const maxPassageLength = 8192;
const maxEvidenceLength = 65_536;

/** Match of a term that is not in the unit but … */
const context = {
  lead: 0.9,
  heading: 0.9,
  path: 0.8,
  title: 0.7,
  whole: 0.9,
  paragraph: 0.75,
  neighbour: 0.45,
  passage: 0.15,
  document: 0.3,
} as const;

/** Reads passages; those that were read before are known, since the same passages are evidence again and again. */
export function readPassages(passages: readonly Passage[], readText: ReadPassageText = readPassageText) {
  let left = maxEvidenceLength;
  return passages.map((passage, rank) => {
    const text = passage.text.slice(0, Math.min(maxPassageLength, left));
    left -= text.length;
    return { passage, rank, text: readText(passage.title, passage.headingPath.join(' › '), text) };
  });
}

/** Matches every unit of the evidence with a question. Words that the evidence lacks by one character are corrected first. */
export function readEvidence(asked: Question, read: ReturnType<typeof readPassages>): Evidence {
  const question = fitTerms(
    asked,
    read.map(({ text }) => text),
  );
  const { terms } = question;
  const own = read.map(({ text }) => text.texts.map((unit) => terms.map((term) => matchTerm(term, unit))));
  const documents = ofDocuments(read, own, terms.length);
  const sources = read.map(({ passage, rank, text }, at): Source => {
    const written = passage.language || (text.language === 'zh' ? Language.ZH : Language.EN);
    const source = {
      passage,
      rank,
      text,
      isForeign: written !== (question.language === 'zh' ? Language.ZH : Language.EN),
    };
    const candidates: Candidate[] = [];
    Object.assign(source, { candidates });
    const title = terms.map((term) => matchTerm(term, text.title));
    const path = terms.map((term) => matchTerm(term, text.path));
    const mine = own[at] as number[][];
    const anywhere = terms.map((_, term) => Math.max(0, ...mine.map((match) => match[term] as number)));
    const elsewhere = documents.get(documentOf(passage)) as readonly number[];
    const headings = new Map<SearchText, number[]>();
    for (const [index, unit] of text.units.entries()) {
      const heading = text.headings[index];
      if (heading !== undefined && !headings.has(heading)) {
        headings.set(
          heading,
          terms.map((term) => matchTerm(term, heading)),
        );
      }
      const above = heading === undefined ? undefined : headings.get(heading);
      const lead = unit.leadIndex === undefined ? undefined : mine[unit.leadIndex];
      const isQuotedWhole = unit.kind === 'sentence' && (text.lengths[unit.block] ?? 0) <= maxParagraphLength;
      const beside = isQuotedWhole
        ? text.units.flatMap((other, place) => (other.block === unit.block && place !== index ? [place] : []))
        : [index - 1, index + 1].filter((other) => text.units[other]?.block === unit.block);
      const besideCredit = isQuotedWhole ? context.paragraph : context.neighbour;
      const ownMatch = mine[index] as number[];
      const near = terms.map((_, term) =>
        Math.max(ownMatch[term] as number, context.lead * (lead?.[term] ?? 0), context.heading * (above?.[term] ?? 0)),
      );
      const titled = terms.map((_, term) => Math.max(near[term] as number, context.whole * (title[term] as number)));
      const all = terms.map((_, term) =>
        Math.max(
          near[term] as number,
          context.path * (path[term] as number),
          context.title * (title[term] as number),
          ...beside.map((other) => besideCredit * (mine[other]?.[term] ?? 0)),
          context.passage * (anywhere[term] as number),
          context.document * (elsewhere[term] as number),
        ),
      );
      candidates.push({
        unit,
        text: text.texts[index] as SearchText,
        index,
        source: source as Source,
        own: ownMatch,
        near,
        titled,
        all,
      });
    }
    return source as Source;
  });
  const candidates = sources.flatMap((source) => source.candidates);
  const known = terms.map((_, term) =>
    Math.max(
      0,
      ...candidates.map(({ all, own: mine }) =>
        (all[term] as number) > 0 ? Math.max(mine[term] as number, all[term] as number) : 0,
      ),
    ),
  );
  return {
    question,
    sources,
    weights: weigh(question, candidates, known),
    known,
    isOfSection: isBrief(question) && sources.some((source) => isHeaded(question, source)),
  };
}

/** How well a heading or a title matches what it names. */
const minHeading = 0.7;

function isHeaded(question: Question, { text, isForeign }: Source): boolean {
  const roles = rolesOf(question);
  // Words for the kind of answer are below a heading, not in it. A noun of one character is content, but a verb is not.
  const topic = question.terms.filter(
    ({ text: word, weight }, at) => weight >= 0.5 || (word.length === 1 && roles[at]?.kind === 'noun'),
  );
  const rest = topic.filter((term) => matchTerm(term, text.title) < minHeading);
  if (isForeign) return false;
  return [text.path, ...new Set(text.headings)].some((heading) =>
    rest.every((term) => heading !== undefined && matchTerm(term, heading) >= minHeading),
  );
}

/** Returns the best match of each term in the passages of each document: one about remote regions lists them in another passage. */
function ofDocuments(
  read: ReturnType<typeof readPassages>,
  own: readonly (readonly number[])[][],
  termCount: number,
): ReadonlyMap<string, readonly number[]> {
  const best = new Map<string, number[]>();
  for (const [at, { passage }] of read.entries()) {
    const known = best.get(documentOf(passage)) ?? new Array<number>(termCount).fill(0);
    for (const match of own[at] ?? []) {
      for (const [term, value] of match.entries()) known[term] = Math.max(known[term] as number, value);
    }
    best.set(documentOf(passage), known);
  }
  return best;
}

/** Names a document among those of all corpora. */
export const documentOf = ({ corpus, documentId }: Passage): string => `${corpus}/${documentId}`;

/** Smallest number of units for a frequency: with fewer, a word of one unit would seem as common as a word of all. */
const minUnits = 200;

/** Returns the weight of each term. A term of the background that the evidence does not have weighs nothing. */
function weigh({ terms }: Question, candidates: readonly Candidate[], known: readonly number[]): number[] {
  return terms.map(({ weight, isFocus, text }, at) => {
    if ((!isFocus || /^\d+(?:\.\d+)?$/.test(text)) && (known[at] as number) === 0) return 0;
    const holders = candidates.reduce((sum, { own }) => sum + (own[at] as number), 0);
    return weight * Math.log(1 + (Math.max(candidates.length, minUnits) - holders + 0.5) / (holders + 0.5));
  });
}
