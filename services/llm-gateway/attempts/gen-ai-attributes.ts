import { type Attributes, type Context, context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { Outcome, OutcomeSchema, type Task, TaskSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Usage } from '../accounting/usage.ts';
import type { ProviderRequest } from '../providers/llm-provider.ts';
import type { Target } from '../targets/target.ts';

// Names of OpenTelemetry's conventions for generative AI (github.com/open-telemetry/semantic-conventions-genai, in development), and
// ragmesh's own under `ragmesh.llm.`. Never messages, evidence or keys.

const tracer = trace.getTracer('ragmesh');

/** The conventions' names of providers, by adapter. An adapter without one has its own name. */
const providerNames: Readonly<Record<string, string>> = {
  openai: 'openai',
  'openai-responses': 'openai',
  'azure-openai': 'azure.ai.openai',
  anthropic: 'anthropic',
};

// Attributes are built only for spans that are recorded.

/** Starts the span of a request, the parent of the spans of its attempts. */
export function startRequestSpan(name: string, task: Task): { span: Span; inner: Context } {
  const span = tracer.startSpan('llm.generate', { kind: SpanKind.INTERNAL });
  if (span.isRecording()) {
    span.setAttributes({
      'gen_ai.operation.name': 'chat',
      ...(name === '' ? {} : { 'gen_ai.request.model': name }),
      'ragmesh.llm.task': enumName(TaskSchema, task),
    });
  }
  return { span, inner: trace.setSpan(context.active(), span) };
}

/** Starts the span of an attempt at a provider. */
export function startAttemptSpan(target: Target, request: ProviderRequest, attempt: number, parent: Context): Span {
  const model = target.provider.name;
  const span = tracer.startSpan(`chat ${model}`, { kind: SpanKind.CLIENT }, parent);
  if (!span.isRecording()) return span;
  const { maxTokens, temperature, topP, seed, frequencyPenalty, presencePenalty, stop } = request;
  return span.setAttributes({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': providerNames[target.adapter] ?? target.adapter,
    'gen_ai.request.model': model,
    'gen_ai.request.stream': true,
    'ragmesh.llm.attempt': attempt,
    'ragmesh.llm.target': target.name,
    ...(maxTokens > 0 ? { 'gen_ai.request.max_tokens': maxTokens } : {}),
    ...(temperature === undefined ? {} : { 'gen_ai.request.temperature': temperature }),
    ...(topP === undefined ? {} : { 'gen_ai.request.top_p': topP }),
    ...(seed === undefined ? {} : { 'gen_ai.request.seed': Number(seed) }),
    ...(frequencyPenalty === undefined ? {} : { 'gen_ai.request.frequency_penalty': frequencyPenalty }),
    ...(presencePenalty === undefined ? {} : { 'gen_ai.request.presence_penalty': presencePenalty }),
    ...(stop.length > 0 ? { 'gen_ai.request.stop_sequences': [...stop] } : {}),
  });
}

/** The result of an attempt or a request, for its span. */
export interface Ending {
  outcome: Outcome;
  /** Model of the response; empty: not known. */
  model: string;
  /** Kind of the failure; empty: none. */
  failure: string;
  /** `undefined`: no usage. */
  usage: Usage | undefined;
  /** Time to the first content, in milliseconds; `undefined`: none arrived. */
  firstTokenMs: number | undefined;
  attemptCount?: number;
}

/** Sets the attributes of the result, and ends the span. */
export function endSpan(span: Span, { outcome, model, failure, usage, firstTokenMs, attemptCount }: Ending): void {
  if (!span.isRecording()) {
    span.end();
    return;
  }
  const isFailure = failure !== '' || outcome === Outcome.TRUNCATED || outcome === Outcome.UPSTREAM_ERROR;
  span.setAttributes({
    'gen_ai.response.finish_reasons': [enumName(OutcomeSchema, outcome).toLowerCase()],
    ...(model === '' ? {} : { 'gen_ai.response.model': model }),
    ...(failure === '' ? {} : { 'error.type': failure }),
    ...(firstTokenMs === undefined ? {} : { 'gen_ai.response.time_to_first_chunk': firstTokenMs / 1000 }),
    ...(attemptCount === undefined ? {} : { 'ragmesh.llm.attempt_count': attemptCount }),
    ...(usage === undefined ? {} : usageAttributes(usage)),
  });
  if (isFailure) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function usageAttributes(usage: Usage): Attributes {
  return {
    'gen_ai.usage.input_tokens': Number(usage.promptTokens),
    'gen_ai.usage.output_tokens': Number(usage.completionTokens),
    'gen_ai.usage.cache_read.input_tokens': Number(usage.cachedPromptTokens),
    'gen_ai.usage.cache_creation.input_tokens': Number(usage.cacheWriteTokens),
    'gen_ai.usage.reasoning.output_tokens': Number(usage.reasoningTokens),
    ...(usage.costMicros === undefined ? {} : { 'ragmesh.llm.cost_micros': Number(usage.costMicros) }),
  };
}
