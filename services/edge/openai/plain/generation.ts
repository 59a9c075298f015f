import { Code } from '@connectrpc/connect';
import { type TokenUsage, UsageProvenanceSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type GenerateDone,
  type GenerateResponse,
  type GenerateStarted,
  Outcome,
  OutcomeSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { cancelled, internal, rpcError } from '#kit/base/errors.ts';
import { minuteHeaders } from '../rate-headers.ts';
import { toCost } from '../usage.ts';

/** What is known of a generation beside its words. */
export interface Course {
  started: GenerateStarted | undefined;
  usage: TokenUsage | undefined;
  done: GenerateDone | undefined;
}

/** Records an event about the progress of its generation. Returns whether it was such an event. */
export function follow(course: Course, { event }: GenerateResponse): boolean {
  switch (event.case) {
    case 'started':
      course.started = event.value;
      return true;
    case 'usage':
      course.usage = event.value;
      return true;
    case 'done':
      course.done = event.value;
      return true;
    default:
      return false;
  }
}

/**
 * `finish_reason` of a generation that ended by itself. Throws if it did not: a part of a completion must never
 * look like a whole one. `filteredIsError`: a refusal of a content filter is an error too.
 */
export function finishReasonOf({ done, started }: Course, filteredIsError = false): string {
  switch (done?.outcome) {
    case Outcome.COMPLETE:
    case Outcome.NO_EVIDENCE:
      return 'stop';
    case Outcome.LENGTH:
      return 'length';
    case Outcome.FILTERED:
      if (filteredIsError) throw filtered(done.providerReason, started);
      return 'content_filter';
    case Outcome.TOOL_CALLS:
      return 'tool_calls';
    case Outcome.TRUNCATED:
      throw incomplete(Outcome.TRUNCATED, 'the provider ended in the middle of the completion: ask again', started);
    case Outcome.UPSTREAM_ERROR:
      throw incomplete(
        Outcome.UPSTREAM_ERROR,
        'the provider failed in the middle of the completion: ask again',
        started,
      );
    case Outcome.CANCELLED:
      throw cancelled();
    default:
      // No end, or one of a later contract.
      throw internal(new Error(`the generation ended without an outcome that is known: ${done?.outcome}`));
  }
}

/** What was sent is void, on a wire that cannot take it back. */
export function takenBack(reason: string, { started }: Course) {
  return incomplete(Outcome.UPSTREAM_ERROR, `the completion so far is void (${reason}): ask again`, started);
}

function filtered(providerReason: string, started: GenerateStarted | undefined) {
  const message = 'a content filter refused the request before the first word: change it, or use another model';
  const metadata = { dependency: started?.provider ?? 'model', provider_reason: providerReason };
  return rpcError(Code.InvalidArgument, ErrorReason.CONTENT_FILTERED, message, { metadata });
}

/** Headers of a completion: the model that answered it, and what is left of the caller's limits. */
export function answeredBy({ started }: Course): Record<string, string> {
  if (started === undefined) return {};
  const headers: [string, string][] = [
    ['x-ragmesh-model', started.model],
    ['x-ragmesh-provider', started.provider],
  ];
  // A header holds no other characters.
  const names = headers.map(([name, value]) => [name, value.replaceAll(/[^\x20-\x7e]/g, '?')]);
  return { ...Object.fromEntries(names), ...minuteHeaders(started) };
}

function incomplete(outcome: Outcome, message: string, started: GenerateStarted | undefined) {
  return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, {
    metadata: { dependency: started?.provider ?? 'model', outcome: enumName(OutcomeSchema, outcome) },
  });
}

/** What ragmesh knows of a generation and OpenAI's shape has no place for: the member `ragmesh` of its end. */
export function toExtension({ started, usage, done }: Course) {
  return {
    provider: started?.provider ?? '',
    model: started?.model ?? '',
    attempts: done?.attemptCount || started?.attempt || 1,
    ...toCost(usage),
    ...(usage === undefined
      ? {}
      : { usage_provenance: enumName(UsageProvenanceSchema, usage.provenance).toLowerCase() }),
  };
}
