import { Code, type ConnectError } from '@connectrpc/connect';
import { Outcome } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { toRpcError } from '#kit/errors.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { LlmProvider, ProviderEvent, ProviderRequest, ProviderUsage } from './llm-provider.ts';
import { withPatience } from './patience.ts';
import { estimatePrompt, provenanceOf, toTokenUsage } from './usage.ts';

/** What an attempt at one target came to. */
export interface Attempt {
  /** Name of the model at the provider; empty where it did not start. */
  model: string;
  outcome: Outcome;
  /** The provider's own word for the outcome, or what went wrong. */
  reason: string;
  /** Whether anything was handed on that a caller shows. */
  hasDeltas: boolean;
  usage: ReturnType<typeof toTokenUsage>;
  /** What was thrown; undefined where the provider ended by itself. */
  error: ConnectError | undefined;
  latencyMs: number;
}

/** Events that are handed on as they come. */
export type Delta = Extract<ProviderEvent, { kind: 'started' | 'text' | 'reasoning' | 'tool-call' }>;

/**
 * Runs one request at one provider: hands on its events, and returns what it came to. Throws only the caller's own abort. A stream
 * that stops without an `end` is TRUNCATED, one that fails after its first delta is UPSTREAM_ERROR: neither is ever COMPLETE.
 */
export async function* runAttempt(
  provider: LlmProvider,
  request: ProviderRequest,
  signal: AbortSignal,
): AsyncGenerator<Delta, Attempt> {
  const startedAt = performance.now();
  const stop = new AbortController();
  const events = provider.generate(request, AbortSignal.any([signal, stop.signal]));
  let model = '';
  let written = '';
  let reported: ProviderUsage | undefined;
  let end: { outcome: Outcome; reason: string } | undefined;
  let error: ConnectError | undefined;
  let hasDeltas = false;
  try {
    for await (const event of withPatience(events, provider.patience, stop)) {
      switch (event.kind) {
        case 'started':
          model = event.model;
          yield event;
          break;
        case 'text':
        case 'reasoning':
          if (event.text === '') break;
          hasDeltas = true;
          written += event.text;
          yield event;
          break;
        case 'tool-call':
          hasDeltas = true;
          written += event.name + event.argumentsJson;
          yield event;
          break;
        case 'usage':
          reported = event.usage;
          break;
        case 'end':
          end = event;
          break;
        default:
          return event satisfies never;
      }
    }
  } catch (thrown) {
    signal.throwIfAborted();
    // After the end there is nothing left to lose but the usage, which is then estimated.
    if (end === undefined) error = toRpcError(thrown);
  }
  const usage = reported ?? {
    promptTokens: estimatePrompt(request),
    completionTokens: estimateTokens(written),
    cachedPromptTokens: 0,
    reasoningTokens: 0,
  };
  return {
    model,
    hasDeltas,
    error,
    outcome: end?.outcome ?? (error === undefined ? Outcome.TRUNCATED : Outcome.UPSTREAM_ERROR),
    reason: end?.reason ?? error?.rawMessage ?? 'the stream ended without a terminal event',
    usage: toTokenUsage(usage, provenanceOf(reported !== undefined, end !== undefined), provider.price),
    latencyMs: performance.now() - startedAt,
  };
}

/** Whether another target may do better: not where the request itself is at fault. */
export function mayGoElsewhere({ code }: ConnectError): boolean {
  return (
    code === Code.Unavailable ||
    code === Code.ResourceExhausted ||
    code === Code.FailedPrecondition ||
    code === Code.DeadlineExceeded ||
    code === Code.Internal
  );
}
