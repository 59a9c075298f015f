import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Span } from '@opentelemetry/api';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type GenerateRequest,
  type GenerateResponseSchema,
  MessageRole,
  MidStreamPolicy,
  Outcome,
  OutcomeSchema,
} from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { enumName } from '#kit/enums.ts';
import type { Logger } from '#kit/log.ts';
import type { Metrics } from '#kit/metrics.ts';
import { streamInSpan } from '#kit/span.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { type Attempt, type Delta, mayGoElsewhere, runAttempt } from './attempt.ts';
import type { LlmProvider, ProviderRequest } from './llm-provider.ts';
import { renderEvidence } from './render-evidence.ts';

/** A provider under the name that callers use. */
export interface Target {
  name: string;
  adapter: string;
  provider: LlmProvider;
}

/** What generation is given. */
export interface GenerateDeps {
  log: Logger;
  metrics: Metrics;
}

type Response = MessageInitShape<typeof GenerateResponseSchema>;

/**
 * Generates by the first target that can: where one fails before it has said anything, the next one is tried; after that, only
 * where the caller allows a restart. Throws the last target's error where none has said anything.
 */
export async function* generate(
  targets: readonly Target[],
  request: GenerateRequest,
  signal: AbortSignal,
  { log, metrics }: GenerateDeps,
): AsyncIterable<Response> {
  const mayRestart =
    request.midStreamPolicy === MidStreamPolicy.RESTART || request.midStreamPolicy === MidStreamPolicy.CONTINUE;
  for (const [index, target] of targets.entries()) {
    const attempts = attemptInSpan(target, toProviderRequest(target.provider, request), signal);
    let outcome: Attempt | undefined;
    // Told with the first delta: a target that says nothing is replaced, and has not started for anybody.
    let started: Response | undefined;
    for await (const event of attempts) {
      if (event.kind === 'finished') outcome = event.attempt;
      else if (event.kind === 'started') started = startedResponse(event.model, target, index + 1);
      else {
        if (started !== undefined) yield started;
        started = undefined;
        yield toResponse(event);
      }
    }
    if (outcome === undefined) throw new Error('an attempt ended without an outcome');
    const labels = { provider: target.adapter, model: outcome.model || target.name };
    metrics.llmLatencyMs.observe(labels, outcome.latencyMs);
    if (outcome.model !== '') {
      metrics.promptTokens.inc({ model: labels.model }, Number(outcome.usage.promptTokens));
      metrics.completionTokens.inc({ model: labels.model }, Number(outcome.usage.completionTokens));
    }
    const { error, hasDeltas, reason } = outcome;
    if (isBroken(outcome)) log.warn({ ...labels, code: error?.code, reason }, 'a model failed');
    const hasNext = index + 1 < targets.length;
    if (isBroken(outcome) && hasNext && (error === undefined || mayGoElsewhere(error)) && (!hasDeltas || mayRestart)) {
      if (hasDeltas) yield { event: { case: 'reset', value: { reason: `${labels.model} broke off` } } };
      continue;
    }
    if (error !== undefined && !hasDeltas) throw error;
    if (started !== undefined) yield started;
    yield { event: { case: 'usage', value: outcome.usage } };
    yield { event: { case: 'done', value: { outcome: outcome.outcome, providerReason: reason } } };
    return;
  }
}

const isBroken = ({ outcome }: Attempt) => outcome === Outcome.TRUNCATED || outcome === Outcome.UPSTREAM_ERROR;

type Progress = Delta | { kind: 'finished'; attempt: Attempt };

function attemptInSpan(target: Target, request: ProviderRequest, signal: AbortSignal): AsyncIterable<Progress> {
  const attributes = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': target.adapter };
  return streamInSpan('llm.generate', attributes, async function* (span): AsyncIterable<Progress> {
    const attempt = runAttempt(target.provider, request, signal);
    let finished = false;
    try {
      for (;;) {
        const next = await attempt.next();
        if (next.done === true) {
          finished = true;
          describe(span, next.value);
          yield { kind: 'finished', attempt: next.value };
          return;
        }
        yield next.value;
      }
    } finally {
      if (!finished) await attempt.return(undefined as never);
    }
  });
}

function describe(span: Span, { model, outcome, usage }: Attempt): void {
  span.setAttributes({
    'gen_ai.request.model': model,
    'gen_ai.response.finish_reasons': [enumName(OutcomeSchema, outcome)],
    'gen_ai.usage.input_tokens': Number(usage.promptTokens),
    'gen_ai.usage.output_tokens': Number(usage.completionTokens),
  });
}

function toProviderRequest(provider: LlmProvider, request: GenerateRequest): ProviderRequest {
  const { messages, evidence, maxTokens, temperature, topP, stop, tools } = request;
  const question = messages.findLast(({ role }) => role === MessageRole.USER)?.text ?? '';
  const isChinese = request.language === Language.ZH || (!request.language && detectLanguage(question) === 'zh');
  return {
    messages: provider.readsEvidence ? messages : renderEvidence(messages, evidence, isChinese ? 'zh' : 'en'),
    evidence: provider.readsEvidence ? evidence : [],
    maxTokens,
    temperature,
    topP,
    stop,
    language: isChinese ? Language.ZH : Language.EN,
    tools,
  };
}

function startedResponse(model: string, { name, adapter }: Target, attempt: number): Response {
  return { event: { case: 'started', value: { model: model || name, provider: adapter, attempt } } };
}

function toResponse(event: Exclude<Delta, { kind: 'started' }>): Response {
  switch (event.kind) {
    case 'text':
      return { event: { case: 'textDelta', value: { text: event.text } } };
    case 'reasoning':
      return { event: { case: 'reasoningDelta', value: { text: event.text } } };
    case 'tool-call': {
      const { index, id, name, argumentsJson } = event;
      return { event: { case: 'toolCallDelta', value: { index, id, name, argumentsJson } } };
    }
    default:
      return event satisfies never;
  }
}
