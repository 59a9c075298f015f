import type { Context, Span } from '@opentelemetry/api';
import { OutcomeSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Usage } from '../accounting/usage.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { ProviderRequest } from '../providers/llm-provider.ts';
import type { Target } from '../targets/target.ts';
import type { FinishedAttempt } from './attempt-state.ts';
import { endSpan, startAttemptSpan } from './gen-ai-attributes.ts';

/** Records an attempt in metrics, in its span and in the latency of its target. */
export interface AttemptReport {
  readonly span: Span;
  /** Records the first content. `model`: its name in the response; empty: not known. */
  firstContent(elapsedMs: number, model: string): void;
  /** Records content after the first. `gapMs`: time since the content before it. */
  nextContent(gapMs: number, model: string): void;
  /** Records the end, and ends the span. */
  finished(attempt: FinishedAttempt, usage: Usage, timing: AttemptTiming): void;
}

/** Times and names of a finished attempt. */
export interface AttemptTiming {
  /** Time from the start to the end, in milliseconds. */
  elapsedMs: number;
  /** Time from the start to the first content, in milliseconds; `undefined`: none arrived, or it arrived with all the rest. */
  firstContentMs: number | undefined;
  /** Name of the model from the response; empty: not known. */
  model: string;
}

/** Starts the span of an attempt and returns its report. */
export function createAttemptReport(
  target: Target,
  request: ProviderRequest,
  number: number,
  { metrics, parent }: { metrics: GatewayMetrics; parent: Context },
): AttemptReport {
  const span = startAttemptSpan(target, request, number, parent);
  let named: { readonly from: string; readonly labels: { provider: string; model: string } } | undefined;
  const labelsOf = (model: string) => {
    if (named?.from !== model) {
      const labels = { provider: target.adapter, model: metrics.modelLabel(model || target.provider.name) };
      named = { from: model, labels };
    }
    return named.labels;
  };
  return {
    span,
    firstContent(elapsedMs, model) {
      target.latency.observe(elapsedMs);
      metrics.firstTokenMs.observe(labelsOf(model), elapsedMs);
    },
    nextContent(gapMs, model) {
      metrics.interTokenMs.observe(labelsOf(model), gapMs);
    },
    finished({ outcome, error, hasContent, hasStarted, isCharged }, usage, { elapsedMs, firstContentMs, model }) {
      if (error?.kind === 'timeout' && !hasContent) target.latency.observe(elapsedMs);
      const labels = labelsOf(model);
      const result = error?.kind ?? enumName(OutcomeSchema, outcome).toLowerCase();
      metrics.attemptTotal.inc({ ...labels, result });
      target.count(result);
      metrics.llmLatencyMs.observe(labels, elapsedMs);
      if (isCharged || hasStarted) {
        metrics.promptTokens.inc({ model: labels.model }, Number(usage.promptTokens));
        metrics.completionTokens.inc({ model: labels.model }, Number(usage.completionTokens));
        if (usage.costMicros !== undefined) {
          metrics.costMicros.inc({ model: target.name, currency: usage.currency }, Number(usage.costMicros));
        }
      }
      const failure = target.redact(error === undefined ? '' : error.code || error.kind);
      endSpan(span, { outcome, model, failure, usage: hasStarted ? usage : undefined, firstTokenMs: firstContentMs });
    },
  };
}
