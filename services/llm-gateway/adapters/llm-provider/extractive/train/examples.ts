import { readFileSync } from 'node:fs';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { comparableText, holdsWording } from '#kit/text/wording.ts';

/** A judged question with the evidence that the model had. */
export interface Example {
  id: string;
  subject: string;
  text: string;
  language: 'zh' | 'en';
  kind: string;
  /** Facts of a right answer, each in one of its wordings, comparable; none: the evidence does not answer the question. */
  facts: readonly (readonly string[])[];
  /** Wordings that a right answer does not have, comparable. */
  forbidden: readonly string[];
  passages: Passage[];
  /** Weight of the example. */
  weight: number;
}

/** Weight of a question about an article: it is asked in other words than it is answered, which a rule or a price rarely is. */
const articleWeight = 0.4;

/** Reads the lines that `npm run eval -- answers --write-evidence` writes. */
export function readExamples(path: string): Example[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { set, id, subject, passages, facts, forbidden, ...rest } = JSON.parse(line) as Omit<
        Example,
        'passages'
      > & {
        set: string;
        passages: JsonValue[];
      };
      return {
        ...rest,
        id: `${set}/${id}`,
        subject: `${set}/${subject}`,
        facts: facts.map((wordings) => wordings.map(comparableText)),
        forbidden: forbidden.map(comparableText),
        passages: passages.map((passage) => fromJson(PassageSchema, passage)),
        weight: rest.kind === 'article' ? articleWeight : 1,
      };
    });
}

/** Weight of a question whose page is removed. */
const removedWeight = 0.5;

/**
 * Returns the question without the passages that answer it: whatever else the evidence has does not answer it. `undefined` if nothing
 * would be left, or nothing is to be removed.
 */
export function withoutAnswer(example: Example): Example | undefined {
  if (example.facts.length === 0) return undefined;
  const documents = new Set(
    example.passages
      .filter(({ text, title }) => shareOfFacts(example, `${title}\n${text}`) > 0)
      .map(({ documentId }) => documentId),
  );
  const passages = example.passages.filter(({ documentId }) => !documents.has(documentId));
  if (documents.size === 0 || passages.length === 0) return undefined;
  return {
    ...example,
    id: `${example.id}-removed`,
    kind: 'removed',
    facts: [],
    forbidden: [],
    passages,
    weight: removedWeight,
  };
}

/** Returns the share of the facts that a text has. */
export function shareOfFacts({ facts }: Example, text: string): number {
  if (facts.length === 0) return 0;
  const plain = comparableText(text);
  return facts.filter((wordings) => wordings.some((wording) => holdsWording(plain, wording))).length / facts.length;
}

/** Returns whether a text has something that a right answer does not have. */
export function hasForbidden({ forbidden }: Example, text: string): boolean {
  const plain = comparableText(text);
  return forbidden.some((wording) => holdsWording(plain, wording));
}
