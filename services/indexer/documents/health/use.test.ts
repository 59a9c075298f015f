import { create } from '@bufbuild/protobuf';
import { TimestampSchema, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { QueryAuditResponseSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ListFeedbackResponseSchema } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { HealthFindingKind } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import type { AnswerDeps } from '../answers.ts';
import { createUseCheck, readUse } from './use.ts';

const nowMs = 1_800_000_000_000;
const day = 86_400_000;

/** An audit of answers a minute apart, the latest first, and feedback in pages of one. `documentsOf`: those of an answer's prompt. */
function recordsOf(
  answerCount: number,
  documentsOf: (answer: number) => readonly string[],
  feedback: readonly (readonly [Rating, ...string[]])[] = [],
) {
  const asked: { limit: number; fromMs: number }[] = [];
  const deps: AnswerDeps = {
    audit: () => ({
      async *queryAudit({ from, limit = 0, beforeSequence = 0n }) {
        asked.push({ limit, fromMs: from === undefined ? 0 : timestampMs(create(TimestampSchema, from)) });
        const first = beforeSequence === 0n ? answerCount : Number(beforeSequence) - 1;
        for (let sequence = first; sequence > Math.max(0, first - limit); sequence--) {
          const evidence = documentsOf(sequence).map((documentId) => ({ corpus: 'help', documentId }));
          const recordedAt = timestampFromMs(nowMs - (answerCount - sequence) * 60_000);
          yield create(QueryAuditResponseSchema, {
            entry: {
              ...{ sequence: BigInt(sequence), recordedAt },
              record: { evidence: [...evidence, ...evidence, { corpus: 'other', documentId: 'a' }] },
            },
          });
        }
      },
    }),
    feedback: () => ({
      async listFeedback({ pageToken }) {
        const at = Number(pageToken);
        const [rating, ...documents] = feedback[at] ?? [];
        return create(ListFeedbackResponseSchema, {
          feedback: [{ rating, citations: documents.map((documentId) => ({ corpus: 'help', documentId })) }],
          nextPageToken: at + 1 < feedback.length ? String(at + 1) : '',
        });
      },
    }),
  };
  return { deps, asked, read: () => readUse(deps, 'help', nowMs, async () => ({})) };
}

const documentOf = (documentId: string, indexedAtMs = 0) => ({
  ...{ documentId, title: documentId, attributes: {}, groups: [], chunks: [], indexedAtMs },
});
const findingsOf = async (
  records: ReturnType<typeof recordsOf>,
  documents: readonly ReturnType<typeof documentOf>[],
) => {
  const check = createUseCheck(await records.read());
  for (const document of documents) check.add(document);
  return check.findings().map(({ kind, evidence, detail }) => [kind, evidence[0]?.document.documentId, detail]);
};

test('a document that no answer of the window used is a finding, unless it was indexed within it', async () => {
  const records = recordsOf(150, (answer) => (answer % 2 === 0 ? ['a', 'b'] : ['b']));
  const documents = [
    documentOf('a'),
    documentOf('b'),
    documentOf('c', 5),
    documentOf('d'),
    documentOf('new', nowMs - day),
  ];
  expect(await findingsOf(records, documents)).toEqual([
    [HealthFindingKind.NEVER_RETRIEVED, 'd', '0 of 150 answers'],
    [HealthFindingKind.NEVER_RETRIEVED, 'c', '0 of 150 answers'],
  ]);
});

test('a corpus with few answers has no finding of that kind', async () => {
  expect(
    await findingsOf(
      recordsOf(99, () => ['a']),
      [documentOf('b')],
    ),
  ).toEqual([]);
});

test('documents whose answers were rated down more often than up are findings, the worst first', async () => {
  const { UP, DOWN } = Rating;
  const ratings = [
    ...Array.from({ length: 4 }, () => [DOWN, 'bad', 'bad', 'worst'] as const),
    ...Array.from({ length: 2 }, () => [DOWN, 'few', 'worst'] as const),
    ...Array.from({ length: 3 }, () => [UP, 'bad', 'liked'] as const),
    ...Array.from({ length: 3 }, () => [DOWN, 'liked'] as const),
  ];
  const records = recordsOf(2, () => ['bad'], ratings);
  const documents = ['bad', 'worst', 'few', 'liked'].map((id) => documentOf(id));
  expect(await findingsOf(records, documents)).toEqual([
    [HealthFindingKind.DOWN_VOTED, 'worst', '6 down, 0 up, 0 answers'],
    [HealthFindingKind.DOWN_VOTED, 'bad', '4 down, 3 up, 2 answers'],
  ]);
});

test('of more answers than are read, the latest count, and the window begins with the oldest of them', async () => {
  const records = recordsOf(30_000, (answer) => (answer <= 9000 ? ['early'] : ['late']));
  const use = await records.read();
  expect(records.asked.length).toBe(20);
  expect(use).toMatchObject({ answerCount: 20_000, sinceMs: nowMs - 19_999 * 60_000 });
  expect(use.documents.get('early')).toBeUndefined();
  expect(new Set(records.asked.map(({ fromMs }) => fromMs))).toEqual(new Set([nowMs - 30 * day]));
});
