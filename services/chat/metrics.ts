import { Counter, Histogram } from 'prom-client';
import { AnswerOutcomeSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { latencyBuckets, type Metrics } from '#kit/base/metrics/metrics.ts';
import { createTracedHistogram } from '#kit/base/metrics/traced-histogram.ts';

const promptTokenBuckets = [0, 100, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000];

/** Registers the metrics of chat and returns them together with those of the process. */
export function createChatMetrics(metrics: Metrics) {
  const registers = [metrics.registry];
  const own = {
    requestTotal: new Counter({
      name: 'ai_request_total',
      help: 'Questions asked',
      labelNames: ['tenant', 'route', 'model'],
      registers,
    }),
    requestLatencyMs: createTracedHistogram(metrics.registry, {
      name: 'ai_request_latency_ms',
      help: 'Time from a question to the end of its answer',
      labelNames: ['route'],
      buckets: latencyBuckets,
    }),
    firstTokenMs: createTracedHistogram(metrics.registry, {
      name: 'ai_first_token_ms',
      help: 'Time from a question to the first text of its answer',
      labelNames: ['route'],
      buckets: latencyBuckets,
    }),
    answerTotal: new Counter({
      name: 'ragmesh_answer_total',
      help: 'Answers that ended, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    trialAnswerTotal: new Counter({
      name: 'ragmesh_trial_answer_total',
      help: 'Answers while a version of a corpus is on trial, by the version of their session and by outcome',
      labelNames: ['version', 'outcome'],
      registers,
    }),
    promptTokens: new Histogram({
      name: 'ragmesh_prompt_tokens',
      help: 'Tokens of a part of a prompt: evidence or history',
      labelNames: ['part'],
      buckets: promptTokenBuckets,
      registers,
    }),
    understandingTotal: new Counter({
      name: 'ragmesh_understanding_total',
      help: 'Messages that a model routed or rewrote, or the rules because the model was late or refused',
      labelNames: ['task', 'by'],
      registers,
    }),
    toolCallTotal: new Counter({
      name: 'ragmesh_tool_call_total',
      help: 'Calls of tools that ended or wait for approval, by status',
      labelNames: ['tool', 'status'],
      registers,
    }),
    toolLatencyMs: createTracedHistogram(metrics.registry, {
      name: 'ragmesh_tool_latency_ms',
      help: 'Time of a call of a tool that returned a result',
      labelNames: ['tool'],
      buckets: latencyBuckets,
    }),
    guardrailTotal: new Counter({
      name: 'ragmesh_guardrail_total',
      help: 'Texts that broke a rule of a guardrail, or could not be checked, by what was done',
      labelNames: ['guardrail', 'point', 'category', 'action'],
      registers,
    }),
    unsupportedClaimTotal: new Counter({
      name: 'ragmesh_unsupported_claim_total',
      help: 'Sentences of answers that the cited passages do not support: fact, negation, or language',
      labelNames: ['fault'],
      registers,
    }),
  };
  for (const route of ['generate', 'cache']) {
    own.requestLatencyMs.zero({ route });
    own.firstTokenMs.zero({ route });
  }
  for (const { number } of StageSchema.values.slice(1)) {
    metrics.degradationTotal.inc({ stage: enumName(StageSchema, number) }, 0);
  }
  for (const { number } of AnswerOutcomeSchema.values.slice(1)) {
    own.answerTotal.inc({ outcome: enumName(AnswerOutcomeSchema, number).toLowerCase() }, 0);
  }
  for (const fault of ['fact', 'negation', 'language']) own.unsupportedClaimTotal.inc({ fault }, 0);
  return { ...metrics, ...own };
}

/** Metrics of chat. */
export type ChatMetrics = ReturnType<typeof createChatMetrics>;
