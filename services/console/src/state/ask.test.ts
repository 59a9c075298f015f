import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { AskResponseSchema, StageStatus, TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { begins, ends, returnsAnswer, returnsText, says } from '../../testing/answers.ts';
import { type Answer, answerFromTurn, startAnswer, updateAnswer } from './ask.ts';
import { citedMarkers, evidenceOf } from './evidence.ts';

type EventInit = NonNullable<MessageInitShape<typeof AskResponseSchema>['event']>;

const asked = startAnswer('k1', 'How long?', 's1', 1000);

function after(events: readonly EventInit[], from: Answer = asked, atMs = 1500): Answer {
  return events.reduce(
    (answer, event) => updateAnswer(answer, { kind: 'response', response: create(AskResponseSchema, { event }), atMs }),
    from,
  );
}

describe('an answer', () => {
  test('gathers text, stages, sources, citations and usage until it is done', () => {
    const answer = after(returnsAnswer);
    expect(answer).toMatchObject({ phase: 'done', text: returnsText.join(''), firstTextMs: 500, endedMs: 500 });
    expect(answer.stages.map(({ name, state }) => [name, state])).toEqual([
      ['cache', 'finished'],
      ['rewrite', 'skipped'],
      ['vector', 'finished'],
      ['keyword', 'finished'],
      ['rerank', 'finished'],
      ['prompt', 'finished'],
      ['generate', 'finished'],
    ]);
    expect(answer.stages[2]).toMatchObject({ latencyMs: 3.21, detail: '50 candidates' });
    expect([...citedMarkers(answer)]).toEqual([1, 3, 2]);
    expect(answer.usage?.promptTokens).toBe(1204n);
    expect(answer.done?.outcome).toBe(AnswerOutcome.ANSWERED);
  });

  test('takes its ids and its searched question from the first event', () => {
    const answer = after([
      { case: 'started', value: { answerId: 'a1', sessionId: 's9', standaloneQuestion: 'How long for lamps?' } },
    ]);
    expect(answer).toMatchObject({ answerId: 'a1', sessionId: 's9', standaloneQuestion: 'How long for lamps?' });
    expect(after([{ case: 'started', value: { answerId: 'a1' } }]).sessionId).toBe('s1');
  });

  test('shows a stage as running from its begin to its end', () => {
    const running = after([begins(Stage.RERANK)]);
    expect(running.stages).toEqual([{ name: 'rerank', state: 'running', detail: '' }]);
    const degraded = after([ends(Stage.RERANK, 120_000, 'late', StageStatus.DEGRADED)], running);
    expect(degraded.stages).toEqual([{ name: 'rerank', state: 'degraded', latencyMs: 120, detail: 'late' }]);
  });

  test('forgets its text and citations at a reset, and remembers why', () => {
    const answer = after([
      says('A first attempt'),
      { case: 'citation', value: { marker: 1 } },
      { case: 'reset', value: { reason: 'fallback' } },
      says('A second'),
    ]);
    expect(answer).toMatchObject({ text: 'A second', citations: [], resetReason: 'fallback', phase: 'writing' });
  });

  test('is incomplete if the stream ends without done', () => {
    const answer = updateAnswer(after([begins(Stage.GENERATE), says('A part')]), { kind: 'ended', atMs: 2000 });
    expect(answer).toMatchObject({ phase: 'failed', failure: { kind: 'incomplete' }, text: 'A part', endedMs: 1000 });
    expect(answer.stages[0]?.state).toBe('stopped');
  });

  test('keeps its part of the text when it is stopped, and takes nothing more', () => {
    const stopped = updateAnswer(after([says('A part')]), { kind: 'stopped', atMs: 2000 });
    expect(stopped).toMatchObject({ phase: 'stopped', text: 'A part' });
    expect(after([says(' too late')], stopped)).toBe(stopped);
    expect(updateAnswer(stopped, { kind: 'ended', atMs: 3000 })).toBe(stopped);
  });

  test('stays done when the stream closes behind it', () => {
    const done = after(returnsAnswer);
    expect(updateAnswer(done, { kind: 'ended', atMs: 9000 })).toBe(done);
  });

  test('survives an event and a stage that the page does not know', () => {
    const unknown = updateAnswer(asked, { kind: 'response', response: create(AskResponseSchema), atMs: 1 });
    expect(unknown).toBe(asked);
    expect(after([begins(99 as Stage)]).stages[0]?.name).toBe('other');
  });
});

describe('an answer of an earlier visit', () => {
  test('is whole, and its markers lead to what it cited', () => {
    const citation = { marker: 2, chunkId: 'c2', documentId: 'd', title: 'Returns', corpus: 'help' };
    const turn = create(TurnSchema, {
      question: 'q',
      answer: 'a [2]',
      answerId: 'a1',
      citations: [citation, citation, { ...citation, marker: 1, chunkId: 'c1' }],
    });
    const answer = answerFromTurn(turn, 's1');
    expect(answer).toMatchObject({ phase: 'done', question: 'q', text: 'a [2]', answerId: 'a1', sessionId: 's1' });
    expect(evidenceOf(answer).map(({ marker, chunkId }) => [marker, chunkId])).toEqual([
      [1, 'c1'],
      [2, 'c2'],
    ]);
  });
});
