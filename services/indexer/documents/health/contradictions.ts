import { HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { unifyNotation } from '#kit/text/facts/notation.ts';
import { factMark, readFacts } from '#kit/text/facts/read-facts.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { type CheckedDocument, type Evidence, type Finding, findingsMax, type HealthCheck } from './finding.ts';

/** Words that a sentence needs beside its facts, to be about something. */
const wordsMin = 4;
/** Share of the words of two titles that must be the same: "Returns" of a shoe and of a lamp are two subjects. */
const sameSubject = 0.6;
/** Rows of tables, whose subject is in their header, and lines of code. */
const noStatement = /^\s*\||[{};=]|\w\(/;
const sentenceLengthMax = 400;
/** Statements of a wording that are compared; a wording of more is of a form or a list. */
const comparedMax = 20;
const mayHaveFact =
  /[\d零一二三四五六七八九十百千万两半]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|thirty)\b/i;

interface Statement {
  facts: readonly string[];
  codes: string;
  titleWords: ReadonlySet<string>;
  evidence: Evidence;
}

/**
 * Creates the check for sentences of several documents about the same subject that differ only in a number, an amount or a date. Two
 * sentences are compared if they have the same words in the same order; their documents must have similar titles, and the codes in both
 * (products, versions) must be the same. Rows of tables and lines of code are left out.
 */
export function createContradictionCheck(): HealthCheck {
  const byWording = new Map<string, Statement[]>();
  const found: Finding[] = [];
  const compare = ({ wording, statement }: { wording: string; statement: Statement }) => {
    const known = byWording.get(wording);
    if (known === undefined) {
      byWording.set(wording, [statement]);
      return;
    }
    const other = known.find((one) => contradict(one, statement));
    if (other !== undefined && found.length < findingsMax) found.push(toFinding(other, statement));
    if (known.length < comparedMax && !known.some((one) => isSame(one, statement))) known.push(statement);
  };
  return {
    add(document) {
      const titleWords = new Set(tokenize(document.title, { mode: 'query' }));
      for (const text of document.chunks) {
        for (const { start, end } of splitSentences(text)) {
          const sentence = text.slice(start, end);
          if (end - start > sentenceLengthMax || !mayHaveFact.test(sentence) || noStatement.test(sentence)) continue;
          const read = readStatement(sentence, document, titleWords);
          if (read !== undefined) compare(read);
        }
      }
    },
    findings: () => found.sort((a, b) => b.overlap - a.overlap),
  };
}

function readStatement(
  sentence: string,
  document: CheckedDocument,
  titleWords: ReadonlySet<string>,
): { wording: string; statement: Statement } | undefined {
  const { numbers, times, codes, rest } = readFacts(unifyNotation(sentence), { timeWords: false });
  const facts = [...numbers, ...times];
  if (facts.length === 0) return undefined;
  const words = rest.split(factMark).map((part) => tokenize(part.slice(part === rest ? 0 : 1), { mode: 'query' }));
  if (words.reduce((sum, { length }) => sum + length, 0) < wordsMin) return undefined;
  return {
    // With a gap for each fact, and what each is counted in: "# day".
    wording: `${words.map((part) => part.join(' ')).join(' # ')} / ${facts.map(unitOf).join()}`,
    statement: { facts, codes: codes.join(), titleWords, evidence: { document, text: sentence } },
  };
}

const unitOf = (fact: string): string => fact.replace(/[\d.:-]+/g, '').trim();

function isSame(a: Statement, b: Statement): boolean {
  return a.facts.join() === b.facts.join() && a.evidence.document.documentId === b.evidence.document.documentId;
}

function contradict(a: Statement, b: Statement): boolean {
  if (a.evidence.document.documentId === b.evidence.document.documentId) return false;
  if (a.facts.join() === b.facts.join() || a.codes !== b.codes) return false;
  return titleOverlap(a, b) >= sameSubject;
}

function titleOverlap({ titleWords: a }: Statement, { titleWords: b }: Statement): number {
  const sharedCount = [...a].filter((word) => b.has(word)).length;
  return sharedCount / Math.max(1, a.size + b.size - sharedCount);
}

function toFinding(a: Statement, b: Statement): Finding {
  const differing = a.facts.flatMap((fact, index) => (fact === b.facts[index] ? [] : [`${fact} | ${b.facts[index]}`]));
  return {
    kind: HealthFindingKind.CONTRADICTION,
    evidence: [a.evidence, b.evidence],
    detail: differing.join(', '),
    overlap: titleOverlap(a, b),
  };
}
