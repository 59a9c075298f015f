import { clone, create } from '@bufbuild/protobuf';
import {
  type GenerateRequest,
  GenerateRequestSchema,
  Task,
  ToolCallDeltaSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { TextStream } from '#kit/personal-data/mask-stream.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { Response } from '../attempts/answer.ts';

/** Whether a request comes from a caller of its own and not from chat, which names its task and has masked what it sends. */
export const isOfCaller = ({ task }: GenerateRequest): boolean => task === Task.UNSPECIFIED;

/** Returns a request with the personal data of its messages and evidence masked, before any provider sees it. */
export function maskGenerateRequest(request: GenerateRequest, { mask }: RequestMasks): GenerateRequest {
  const masked = clone(GenerateRequestSchema, request);
  for (const message of masked.messages) {
    message.text = mask(message.text);
    message.reasoning = mask(message.reasoning);
    for (const call of message.toolCalls) call.argumentsJson = mask(call.argumentsJson);
  }
  for (const passage of masked.evidence) {
    passage.title = mask(passage.title);
    passage.text = mask(passage.text);
  }
  return masked;
}

/** Returns the responses as the caller may see them: what the model writes is masked, and masks of the request are restored. */
export async function* showGenerated(
  masks: RequestMasks,
  responses: AsyncIterable<Response | Response[]>,
): AsyncGenerator<Response, void> {
  let streams = createStreams(masks);
  for await (const response of eachOf(responses)) {
    const { event } = response;
    switch (event?.case) {
      case 'textDelta':
        yield* textOf('textDelta', streams.text.push(event.value.text ?? ''));
        break;
      case 'reasoningDelta':
        yield* textOf('reasoningDelta', streams.reasoning.push(event.value.text ?? ''));
        break;
      case 'toolCallDelta': {
        const argumentsJson = streams.call(event.value.index ?? 0).push(event.value.argumentsJson ?? '');
        yield { event: { case: 'toolCallDelta', value: { ...event.value, argumentsJson } } };
        break;
      }
      case 'reset':
        streams = createStreams(masks);
        yield response;
        break;
      case 'done':
      case 'usage':
        yield* streams.end();
        yield response;
        break;
      default:
        yield response;
    }
  }
}

async function* eachOf(responses: AsyncIterable<Response | Response[]>): AsyncGenerator<Response, void> {
  for await (const given of responses) yield* Array.isArray(given) ? given : [given];
}

function* textOf(kind: 'textDelta' | 'reasoningDelta', text: string): Generator<Response> {
  if (text !== '') yield { event: { case: kind, value: { text } } };
}

function createStreams(masks: RequestMasks) {
  const written = (): TextStream => {
    const [masking, restoring] = [masks.maskAnswers([]), masks.restoring()];
    return {
      push: (delta) => restoring.push(masking.push(delta)),
      end: () => restoring.push(masking.end()) + restoring.end(),
    };
  };
  const text = written();
  const reasoning = written();
  const calls = new Map<number, TextStream>();
  return {
    text,
    reasoning,
    call(index: number): TextStream {
      const stream = calls.get(index) ?? masks.restoring();
      calls.set(index, stream);
      return stream;
    },
    *end(): Generator<Response> {
      yield* textOf('reasoningDelta', reasoning.end());
      yield* textOf('textDelta', text.end());
      for (const [index, stream] of calls) {
        const argumentsJson = stream.end();
        if (argumentsJson === '') continue;
        yield { event: { case: 'toolCallDelta', value: create(ToolCallDeltaSchema, { index, argumentsJson }) } };
      }
    },
  };
}
