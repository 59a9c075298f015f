import type { Language, Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type {
  Message,
  Outcome,
  ReasoningEffort,
  ResponseFormat,
  Tool,
  ToolChoice,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Logger } from '#kit/base/log.ts';

/** A provider of completions: what it can take, and one verb. It only translates; it never retries, waits or chooses. */
export interface LlmProvider {
  /** Name of the model at the provider; the model's name for callers where the configuration gives none. */
  readonly name: string;
  /** What it can take, as far as the adapter knows; the configuration may say otherwise. */
  readonly capabilities: LlmCapabilities;
  /**
   * Generates one completion. `started` comes first, with the head of the reply; then deltas in order; then `end`, which comes from
   * the provider's terminal event and is the only proof that the completion is over; usage may come at any time, also after the
   * end, and the last one counts. Ends without `end` where the provider's stream did. Throws the signal's reason where it aborts;
   * else a ProviderError, in the middle as well as at the start. The iterator's `return` and the signal stop the provider's work.
   */
  generate(request: ProviderRequest, signal: AbortSignal): AsyncIterable<ProviderEvent>;
  /** Frees everything. */
  close(): Promise<void>;
}

/** What a provider can take. */
export interface LlmCapabilities {
  /** Whether it writes text of its own. One that only quotes answers questions and does no other task. */
  readonly generative: boolean;
  /** Whether it reads the evidence as passages. Otherwise the gateway writes it into the messages. */
  readonly readsEvidence: boolean;
  /** Longest prompt and completion together, in tokens; 0: not known. */
  readonly contextTokens: number;
  /** Longest completion, in tokens; 0: not known. */
  readonly maxOutputTokens: number;
  readonly tools: boolean;
  readonly images: boolean;
  readonly jsonSchema: boolean;
  /** Whether it goes on from `ProviderRequest.prefix`. */
  readonly prefill: boolean;
}

/** What a provider is asked for. */
export interface ProviderRequest {
  /** The conversation; the evidence is in it already, unless the provider reads passages. */
  messages: readonly Message[];
  /** Passages that may be quoted as [1], [2], …; empty for a provider that does not read them. */
  evidence: readonly Passage[];
  /** Longest completion, in tokens; 0: the provider's default. */
  maxTokens: number;
  temperature: number | undefined;
  topP: number | undefined;
  seed: bigint | undefined;
  frequencyPenalty: number | undefined;
  presencePenalty: number | undefined;
  stop: readonly string[];
  language: Language;
  tools: readonly Tool[];
  toolChoice: ToolChoice | undefined;
  parallelToolCalls: boolean | undefined;
  responseFormat: ResponseFormat | undefined;
  reasoningEffort: ReasoningEffort;
  /** The beginning of the answer, which the completion goes on from without repeating it; only with `prefill`. */
  prefix: string;
  /** Stands for the tenant towards the provider, opaque: for cache salts and abuse reports. Never the tenant's name. */
  tenantTag: string;
}

/** What comes from a provider. */
export type ProviderEvent =
  /** `model`: as the reply names it; `warnings`: what of the request the provider cannot take and goes without. */
  | { kind: 'started'; model: string; warnings: readonly string[] }
  | { kind: 'text'; text: string }
  | { kind: 'reasoning'; text: string }
  | { kind: 'tool-call'; index: number; id: string; name: string; argumentsJson: string }
  | { kind: 'usage'; usage: ProviderUsage }
  | { kind: 'end'; outcome: Outcome; reason: string };

/**
 * Tokens as the provider counts them so far, cumulative. `undefined`: not reported, which is not zero. Adapters pass on what the provider
 * reports, NaN for what is not a number: the gateway takes only what can be a count, and estimates the rest.
 */
export interface ProviderUsage {
  /** All of the prompt, with what was read from or written to a cache. */
  promptTokens: number | undefined;
  /** All of the completion, reasoning included. */
  completionTokens: number | undefined;
  /** Of the prompt: read from the provider's cache. */
  cachedPromptTokens: number | undefined;
  /** Of the prompt: written to the provider's cache. */
  cacheWriteTokens: number | undefined;
  /** Of the completion: reasoning. */
  reasoningTokens: number | undefined;
}

/** What an adapter is given. */
export interface LlmProviderDeps {
  log: Logger;
  /** Where the configuration names it, for errors: "llm_gateway.models[0]". */
  path: string;
  /** Every request to the provider goes through it: it bounds the time for a connection and the number of connections. */
  fetch: typeof globalThis.fetch;
}
