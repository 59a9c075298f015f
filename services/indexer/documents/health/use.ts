import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { CallOptions } from '@connectrpc/connect';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { type AnswerDeps, readAnswers, readRatings } from '../answers.ts';
import { type CheckedDocument, type Finding, findingsMax, type HealthCheck } from './finding.ts';

/** How answers used the documents of a corpus. */
export interface CorpusUse {
  /** Since when answers were counted, in milliseconds since 1970. */
  sinceMs: number;
  /** Answers that had documents of the corpus in their prompts. */
  answerCount: number;
  /** By document: answers with it in their prompt, and ratings of answers that cite it. */
  documents: ReadonlyMap<string, DocumentUse>;
}

interface DocumentUse {
  answers: number;
  up: number;
  down: number;
}

const windowMs = 30 * 86_400_000;
/** Documents whose use is counted; the audit may name more that are gone. */
const documentsMax = 200_000;
/** Answers of a corpus from which it says something that a document is in none of them. */
const answersNeeded = 100;
/** Ratings from which they say something. */
const downNeeded = 3;

/**
 * Reads how answers used a corpus in the last 30 days, at most the latest 20,000 answers and 10,000 ratings. `call` returns options with the
 * rights of an auditor and an operator.
 */
export async function readUse(
  deps: AnswerDeps,
  corpus: string,
  nowMs: number,
  call: () => Promise<CallOptions>,
): Promise<CorpusUse> {
  const documents = new Map<string, DocumentUse>();
  const countOf = (documentId: string): DocumentUse => {
    const found = documents.get(documentId) ?? { answers: 0, up: 0, down: 0 };
    if (documents.size < documentsMax) documents.set(documentId, found);
    return found;
  };
  const fromMs = nowMs - windowMs;
  let answerCount = 0;
  let oldestMs = fromMs;
  const { isWhole } = await readAnswers(deps, fromMs, call, ({ record, recordedAt }) => {
    if (recordedAt !== undefined) oldestMs = timestampMs(recordedAt);
    const ids = documentsIn(corpus, record?.evidence ?? []);
    if (ids.size > 0) answerCount++;
    for (const documentId of ids) countOf(documentId).answers++;
  });
  await readRatings(deps, fromMs, call, ({ rating, citations }) => {
    for (const documentId of documentsIn(corpus, citations)) {
      if (rating === Rating.UP) countOf(documentId).up++;
      if (rating === Rating.DOWN) countOf(documentId).down++;
    }
  });
  return { sinceMs: isWhole ? fromMs : oldestMs, answerCount, documents };
}

function documentsIn(corpus: string, places: readonly { corpus: string; documentId: string }[]): Set<string> {
  return new Set(places.filter((place) => place.corpus === corpus).map(({ documentId }) => documentId));
}

/** Creates the check for documents that no answer used, and for those whose answers users rated down. */
export function createUseCheck({ sinceMs, answerCount, documents }: CorpusUse): HealthCheck {
  const unused: { document: CheckedDocument; indexedAtMs: number }[] = [];
  const rated: { document: CheckedDocument; use: DocumentUse }[] = [];
  const finding = (
    kind: HealthFindingKind,
    { documentId, title, groups }: CheckedDocument,
    detail: string,
  ): Finding => ({
    kind,
    evidence: [{ document: { documentId, title, groups }, text: '' }],
    detail,
    overlap: 0,
  });
  return {
    add(document) {
      const use = documents.get(document.documentId);
      // A document that has not been there all the time can have had no chance.
      if (use === undefined || use.answers === 0) {
        const isOld = document.indexedAtMs < sinceMs;
        if (isOld && answerCount >= answersNeeded) unused.push({ document, indexedAtMs: document.indexedAtMs });
      }
      if (use !== undefined && use.down >= downNeeded && use.down > use.up) rated.push({ document, use });
    },
    findings: () => [
      ...rated
        .sort((a, b) => b.use.down - b.use.up - (a.use.down - a.use.up))
        .slice(0, findingsMax)
        .map(({ document, use: { down, up, answers: count } }) =>
          finding(HealthFindingKind.DOWN_VOTED, document, `${down} down, ${up} up, ${count} answers`),
        ),
      ...unused
        .sort((a, b) => a.indexedAtMs - b.indexedAtMs)
        .slice(0, findingsMax)
        .map(({ document }) => finding(HealthFindingKind.NEVER_RETRIEVED, document, `0 of ${answerCount} answers`)),
    ],
  };
}
