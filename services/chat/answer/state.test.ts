import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AskResponse, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import {
  AnswerDoneSchema,
  AnswerOutcome,
  CacheLayer,
  ClaimFault,
  UnsupportedClaimSchema,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PassageSchema, Stage, TokenUsageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type AskEvent,
  citation,
  reset,
  sources,
  stageDegraded,
  stageFinished,
  stageSkipped,
  stageStarted,
  textDelta,
} from './events.ts';
import { type AnswerState, initialState, next } from './state.ts';

const arrived = initialState({ answerId: 'a', question: 'q', askedAtMs: 1, traceId: '' });
const stages = [Stage.CACHE, Stage.RETRIEVE, Stage.RERANK, Stage.GENERATE, Stage.VALIDATE, Stage.AUDIT];
const passages = (count: number) =>
  Array.from({ length: count }, (_, index) => create(PassageSchema, { chunkId: `d${index + 1}` }));
const claims = [create(UnsupportedClaimSchema, { start: 0, end: 1, fault: ClaimFault.FACT })];
const degradation = fc
  .tuple(fc.constantFrom(...stages), fc.string({ maxLength: 600 }), fc.string({ maxLength: 600 }))
  .map(([stage, reason, effect]) => stageDegraded(stage, reason, effect));
const notDone: fc.Arbitrary<AskEvent> = fc.oneof(
  fc.constant<AskEvent>({
    case: 'started',
    value: { sessionId: 's', isNewSession: true, act: ConversationAct.QUESTION, standalone: 'q2' },
  }),
  fc.constantFrom(...stages).map((stage) => stageStarted(stage)),
  fc.constantFrom(...stages).map((stage) => stageFinished(stage, 'detail')),
  fc.constantFrom(...stages).map((stage) => stageSkipped(stage)),
  degradation,
  fc.constant<AskEvent>({ case: 'lease', value: 'lease' }),
  fc.string().map((value): AskEvent => ({ case: 'model', value })),
  fc.nat({ max: 4 }).map((count) => sources(passages(count))),
  fc.string({ minLength: 1, maxLength: 5 }).map((text) => textDelta(text)),
  fc.nat({ max: 6 }).map((marker) => citation({ marker, chunkId: `d${marker}` })),
  fc.constant(reset('again')),
  fc.constant<AskEvent>({ case: 'usage', value: create(TokenUsageSchema, { promptTokens: 1n }) }),
  degradation.map((event): AskEvent => {
    const degradations = event.case === 'degraded' ? [{ ...event.value, $typeName: degradationType }] : [];
    const done = create(AnswerDoneSchema, { outcome: AnswerOutcome.ANSWERED, degradations, unsupportedClaims: claims });
    return { case: 'replayed', value: { done, layer: CacheLayer.MEMORY } };
  }),
  fc.constant<AskEvent>({ case: 'restarted', value: 'interrupted' }),
  fc
    .constantFrom(AnswerOutcome.ANSWERED, AnswerOutcome.TRUNCATED)
    .map((value): AskEvent => ({ case: 'outcome', value })),
  fc.boolean().map((isVerified): AskEvent => ({ case: 'verdict', value: { unsupportedClaims: claims, isVerified } })),
);
const degradationType = 'ragmesh.common.v1.Degradation' as const;
const anyEvent = fc.oneof(
  { weight: 12, arbitrary: notDone },
  { weight: 1, arbitrary: fc.constant<AskEvent>({ case: 'done' }) },
);

/** Applies events in order; returns the last state and what the client saw. */
function run(events: readonly AskEvent[], from: AnswerState = arrived) {
  let state = from;
  const shown: AskResponse[] = [];
  for (const [index, event] of events.entries()) {
    const step = next(state, event, (index + 1) * 10);
    state = step.state;
    if (step.response !== undefined) shown.push(step.response);
  }
  return { state, shown };
}

/** Returns the text and the markers that a client has after these responses. */
function seenBy(shown: readonly AskResponse[]) {
  let text = '';
  let markers: number[] = [];
  for (const { event } of shown) {
    if (event.case === 'textDelta') text += event.value.text;
    else if (event.case === 'citation') markers.push(event.value.marker);
    else if (event.case === 'reset') [text, markers] = ['', []];
  }
  return { text, markers };
}

describe('the state of an answer, for any sequence of events,', () => {
  test('keeps nothing of the text before a reset', () => {
    fc.assert(
      fc.property(fc.array(notDone), fc.array(notDone), (before, after) => {
        const { state } = run([...before, reset('again')]);
        expect(state).toMatchObject({ text: '', citations: [], unsupportedClaims: [], isVerified: false });
        expect(state.outcome).toBe(AnswerOutcome.UNSPECIFIED);
        const text = (events: readonly AskEvent[], from?: AnswerState) => run(events, from).state.text;
        expect(text(after, state)).toBe(text(after));
      }),
    );
  });

  test('keeps neither text nor passages of an answer that starts again', () => {
    fc.assert(
      fc.property(fc.array(notDone), (before) => {
        const { state } = run([...before, { case: 'restarted', value: 'interrupted' }]);
        expect(state).toMatchObject({
          text: '',
          citations: [],
          passages: [],
          unsupportedClaims: [],
          isVerified: false,
        });
      }),
    );
  });

  test('shows done exactly once and last, with what is known by then', () => {
    fc.assert(
      fc.property(fc.array(notDone), fc.array(anyEvent), (before, after) => {
        const { state, shown } = run([...before, { case: 'done' }, ...after]);
        const ends = shown.flatMap(({ event }) => (event.case === 'done' ? [event.value] : []));
        expect(ends).toHaveLength(1);
        expect(shown.at(-1)?.event.case).toBe('done');
        expect(ends[0]).toMatchObject({ outcome: state.outcome, verified: state.isVerified, model: state.model });
        expect(ends[0]?.degradations).toEqual(state.degradations);
        expect(next(state, textDelta('late'), 1_000_000)).toEqual({ state, response: undefined });
      }),
    );
  });

  test('never loses a degradation, up to the limit of the contract', () => {
    fc.assert(
      fc.property(fc.array(notDone, { maxLength: 100 }), (events) => {
        const keyOf = ({ stage, effect }: { stage: Stage; effect: string }) => `${stage} ${effect.slice(0, 512)}`;
        const reported = events.flatMap((event) => {
          if (event.case === 'degraded') return [keyOf(event.value)];
          return event.case === 'replayed' ? event.value.done.degradations.map(keyOf) : [];
        });
        const { state } = run(events);
        expect(state.degradations.map(keyOf)).toEqual([...new Set(reported)].slice(0, 32));
        for (const { reason } of state.degradations) expect(reason.length).toBeLessThanOrEqual(512);
      }),
    );
  });

  test('has markers only of passages that were given', () => {
    const cited = ['sources', 'citation', 'reset', 'restarted'];
    const citing = notDone.filter((event) => cited.includes(event.case));
    fc.assert(
      fc.property(fc.array(citing, { maxLength: 30, size: 'max' }), (events) => {
        let state = arrived;
        for (const event of events) {
          const step = next(state, event, 1);
          if (step.response?.event.case === 'citation') {
            expect(step.response.event.value.marker).toBeLessThanOrEqual(state.passages.length);
          }
          state = step.state;
          for (const { marker } of state.citations) {
            expect(marker).toBeGreaterThanOrEqual(1);
            expect(marker).toBeLessThanOrEqual(state.passages.length);
          }
        }
      }),
    );
  });

  test('has the text that the client has', () => {
    const withoutRestart = notDone.filter((event) => event.case !== 'restarted');
    fc.assert(
      fc.property(fc.array(withoutRestart), (events) => {
        const { state, shown } = run(events);
        expect(state.text).toBe(seenBy(shown).text);
        const { markers } = seenBy(shown);
        for (const { marker } of state.citations) expect(markers).toContain(marker);
      }),
    );
  });

  test('is not changed in place', () => {
    const freeze = (state: AnswerState) => {
      for (const list of [state.citations, state.degradations, state.passages, state.unsupportedClaims]) {
        Object.freeze(list);
      }
      return Object.freeze(state);
    };
    fc.assert(
      fc.property(fc.array(notDone), (events) => {
        let state = freeze(arrived);
        for (const event of events) {
          const starts = new Map(state.stageStartsUs);
          const before = state;
          state = freeze(next(state, event, 5).state);
          expect(before.stageStartsUs).toEqual(starts);
        }
      }),
    );
  });
});

test('a stage takes the time since it began, or the time that its service measured', () => {
  const { state } = run([stageStarted(Stage.RETRIEVE)]);
  const updateOf = (event: AskEvent) => next(state, event, 250).response?.event.value;
  expect(updateOf(stageFinished(Stage.RETRIEVE))).toMatchObject({ latencyUs: 240n, status: StageStatus.FINISHED });
  expect(updateOf(stageFinished(Stage.RETRIEVE, '', 7n))).toMatchObject({ latencyUs: 7n });
  expect(updateOf(stageDegraded(Stage.RETRIEVE, 'late', 'none'))).toMatchObject({
    latencyUs: 240n,
    status: StageStatus.DEGRADED,
    detail: 'late: none',
  });
  // The look-up begins with the question.
  expect(updateOf(stageFinished(Stage.CACHE))).toMatchObject({ latencyUs: 250n });
});

test('the time to the first text is that of the first delta', () => {
  expect(run([stageStarted(Stage.GENERATE), textDelta('a'), textDelta('b')]).state.firstTextUs).toBe(20);
});
