import { create } from '@bufbuild/protobuf';
import { type AskResponse, AskResponseSchema, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome, CacheLayer, type Citation, type UnsupportedClaim } from '#gen/ragmesh/common/v1/answer_pb.ts';
import {
  type Degradation,
  type Passage,
  type Stage,
  StageSchema,
  type TokenUsage,
} from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Metrics } from '#kit/base/metrics.ts';

/** What happens to one question, from its arrival to its end: what was shown, and what is known of it. */
export interface Course {
  readonly answerId: string;
  readonly question: string;
  readonly askedAtMs: number;
  /** Empty until known, and for a caller that keeps the history itself. */
  sessionId: string;
  /** Whether the session is not in the store yet. */
  isNewSession: boolean;
  /** Whether the caller was told the ids. */
  isStarted: boolean;
  standalone: string;
  /** What is shown. */
  text: string;
  passages: readonly Passage[];
  citations: Citation[];
  usage: TokenUsage | undefined;
  /** UNSPECIFIED until the answer has ended. */
  outcome: AnswerOutcome;
  /** Alias of the model that writes. */
  model: string;
  cacheLayer: CacheLayer;
  readonly degradations: Degradation[];
  /** Sentences that their passages do not support. */
  unsupportedClaims: UnsupportedClaim[];
  /** Whether every sentence was compared with its passages, and none failed. */
  isVerified: boolean;
  /** 0 until there is text. */
  firstTextUs: number;
  /** Microseconds since the question came. */
  elapsedUs(): number;
  /** Keeps what an event shows. */
  note(response: AskResponse): void;
  /** A stage begins. */
  begin(stage: Stage): AskResponse;
  /** A stage ends; its time is that since it began, unless `latencyUs` is given. */
  end(stage: Stage, status: StageStatus, detail?: string, latencyUs?: bigint): AskResponse;
  /** A stage is done without. `isOwn`: chat found it, and counts it; otherwise the service that says so has. */
  degrade(stage: Stage, reason: string, effect: string, isOwn?: boolean): AskResponse;
}

type EventInit = NonNullable<Parameters<typeof create<typeof AskResponseSchema>>[1]>['event'];

/** An event of an answer. */
export function respond(event: EventInit): AskResponse {
  return create(AskResponseSchema, { event });
}

/** Most degradations that an answer declares, and longest reason; the contract's limits. */
const maxDegradations = 32;
const maxReason = 512;

/** Begins the course of a question. */
export function createCourse(
  init: Pick<Course, 'answerId' | 'question' | 'askedAtMs'>,
  metrics: Pick<Metrics, 'degradationTotal'>,
): Course {
  const startedAt = performance.now();
  const begun = new Map<Stage, number>();
  const since = (start: number) => Math.round((performance.now() - start) * 1000);
  const update = (stage: Stage, status: StageStatus, detail: string, latencyUs: bigint) =>
    respond({ case: 'stage', value: { stage, status, latencyUs, detail } });
  const latencyOf = (stage: Stage) => {
    const start = begun.get(stage);
    return start === undefined ? 0n : BigInt(since(start));
  };
  return {
    ...init,
    sessionId: '',
    isNewSession: false,
    isStarted: false,
    standalone: init.question,
    text: '',
    passages: [],
    citations: [],
    usage: undefined,
    outcome: AnswerOutcome.UNSPECIFIED,
    model: '',
    cacheLayer: CacheLayer.UNSPECIFIED,
    degradations: [],
    unsupportedClaims: [],
    isVerified: false,
    firstTextUs: 0,
    elapsedUs: () => since(startedAt),
    note({ event }) {
      switch (event.case) {
        case 'started':
          this.isStarted = true;
          break;
        case 'sources':
          this.passages = event.value.passages;
          break;
        case 'textDelta':
          this.firstTextUs ||= since(startedAt);
          this.text += event.value.text;
          break;
        case 'reset':
          this.text = '';
          this.citations = [];
          break;
        case 'citation':
          this.citations.push(event.value);
          break;
        case 'usage':
          this.usage = event.value;
          break;
        case 'stage':
        case 'done':
        case undefined:
          break;
        default:
          event satisfies never;
      }
    },
    begin(stage) {
      begun.set(stage, performance.now());
      return update(stage, StageStatus.STARTED, '', 0n);
    },
    end: (stage, status, detail = '', latencyUs = latencyOf(stage)) => update(stage, status, detail, latencyUs),
    degrade(stage, reason, effect, isOwn = true) {
      const degradation = { stage, reason: reason.slice(0, maxReason), effect: effect.slice(0, maxReason) };
      const isNew = !this.degradations.some((known) => known.stage === stage && known.effect === degradation.effect);
      if (isNew && this.degradations.length < maxDegradations) this.degradations.push(degradation as Degradation);
      if (isNew && isOwn) metrics.degradationTotal.inc({ stage: enumName(StageSchema, stage) });
      return update(stage, StageStatus.DEGRADED, `${degradation.reason}: ${degradation.effect}`, latencyOf(stage));
    },
  };
}
