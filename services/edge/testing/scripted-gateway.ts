import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type GenerateRequest,
  GenerateResponseSchema,
  type LLMGatewayService,
  Outcome,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { rpcError, tooLarge } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';

// A gateway for tests, in the place of the real one. What it does is what the last message asks for.

type Event = MessageInitShape<typeof GenerateResponseSchema>['event'];

const started: Event = { case: 'started', value: { model: 'gpt-5-2025', provider: 'openai', attempt: 2 } };
const text = (words: string): Event => ({ case: 'textDelta', value: { text: words } });
const usage: Event = {
  case: 'usage',
  value: {
    promptTokens: 30n,
    completionTokens: 7n,
    cachedPromptTokens: 10n,
    reasoningTokens: 2n,
    costMicros: 450n,
    currency: 'USD',
    priceVersion: '2026-11',
    provenance: 1,
  },
};
const done = (outcome: Outcome): Event => ({ case: 'done', value: { outcome, attemptCount: 2 } });
const callPart = (index: number, argumentsJson: string, id = '', name = ''): Event => ({
  case: 'toolCallDelta',
  value: { index, id, name, argumentsJson },
});

// What the model says to the last message.
const scripts: Record<string, Event[]> = {
  hello: [started, text('Hel'), text('lo.'), usage, done(Outcome.COMPLETE)],
  think: [started, { case: 'reasoningDelta', value: { text: 'Hm. ' } }, text('42'), usage, done(Outcome.COMPLETE)],
  late: [started],
  counted: [
    {
      case: 'started',
      value: {
        model: 'm',
        provider: 'openai',
        attempt: 1,
        requests: { limit: 60n, remaining: 59n, resetMs: 61_500 },
        tokens: { limit: 9000n, remaining: 8000n, resetMs: 900 },
      },
    },
    text('ok'),
    usage,
    done(Outcome.COMPLETE),
  ],
  nothing: [started, usage, done(Outcome.COMPLETE)],
  length: [started, text('so'), usage, done(Outcome.LENGTH)],
  filter: [started, usage, done(Outcome.FILTERED)],
  'filtered later': [started, text('I'), usage, done(Outcome.FILTERED)],
  'foreign name': [
    { case: 'started', value: { model: '模型-7b', provider: 'vllm', attempt: 1 } },
    text('好'),
    usage,
    done(Outcome.COMPLETE),
  ],
  'signed call': [
    started,
    {
      case: 'toolCallDelta',
      value: {
        index: 0,
        id: 'c1',
        name: 'f',
        argumentsJson: '{}',
        extraContentJson: '{"google":{"thought_signature":"abc=="}}',
      },
    },
    usage,
    done(Outcome.TOOL_CALLS),
  ],
  weather: [
    started,
    callPart(0, '', 'call_1', 'weather'),
    callPart(0, '{"city":'),
    callPart(1, '{"city":"Bergen"}', 'call_2', 'weather'),
    callPart(0, '"Oslo"}'),
    usage,
    done(Outcome.TOOL_CALLS),
  ],
  truncated: [started, text('so far'), usage, done(Outcome.TRUNCATED)],
  'upstream error': [started, text('so far'), usage, done(Outcome.UPSTREAM_ERROR)],
  'no end': [started, text('so far')],
  'taken back': [
    started,
    text('wrong'),
    { case: 'reset', value: { reason: 'another model starts anew' } },
    text('right'),
    usage,
    done(Outcome.COMPLETE),
  ],
  warned: [
    { case: 'started', value: { model: 'm', provider: 'ollama', attempt: 1, warnings: ['seed: ollama has none'] } },
    text('ok'),
    done(Outcome.COMPLETE),
  ],
  wait: [started, text('first')],
};

/** A gateway that follows a script. */
export interface ScriptedGateway {
  impl: Partial<ServiceHandlers<typeof LLMGatewayService>>;
  /** Requests so far. */
  asked: GenerateRequest[];
  /** Generations in flight. */
  openCount(): number;
}

/** Creates the gateway, with the models "gpt-5", which writes, and "extractive", which only quotes. */
export function createScriptedGateway(): ScriptedGateway {
  const asked: GenerateRequest[] = [];
  let openCount = 0;
  return {
    asked,
    openCount: () => openCount,
    impl: {
      listModels: () => ({
        models: [
          { name: 'gpt-5', provider: 'openai', generative: true },
          { name: 'extractive', provider: 'extractive' },
        ],
      }),
      async *generate(request, { signal }) {
        asked.push(request);
        openCount++;
        try {
          const said = request.messages.at(-1)?.text ?? '';
          refuse(said, request.model);
          for (const event of scripts[said] ?? scripts.hello ?? []) yield create(GenerateResponseSchema, { event });
          if (said === 'late') {
            throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'nobody answers');
          }
          if (said === 'wait') {
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
          }
        } finally {
          openCount--;
        }
      },
    },
  };
}

function refuse(said: string, model: string): void {
  if (said === 'limit')
    throw rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, 'too often', { retryAfterMs: 1500 });
  if (said === 'spent') {
    const metadata = { attempts_left: '0' };
    throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'four attempts failed', { metadata });
  }
  if (said === 'large') throw tooLarge('the completion that is held back', 8 << 20);
  if (said === 'budget') throw rpcError(Code.ResourceExhausted, ErrorReason.BUDGET_EXCEEDED, 'spent');
  if (model !== 'gpt-5') throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, 'no such model');
}
