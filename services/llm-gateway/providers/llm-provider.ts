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

/** A provider of completions: its capabilities, and one method. It only translates; it never retries, waits or chooses. */
export interface LlmProvider {
  /** Name of the model at the provider; callers use it if the configuration gives the model no name. */
  readonly name: string;
  /** What the adapter knows about the model; the configuration can override it. */
  readonly capabilities: LlmCapabilities;
  /**
   * Generates one completion. `started` is first, with the head of the response; then deltas in order; then `end`, which follows from the
   * provider's terminal event and is the only proof that the completion is over; the last one counts. Usage may arrive at any time, also
   * after the end; the last report counts. The stream has no `end` if the provider's stream had none. Throws the signal's reason if it aborts, otherwise a
   * ProviderError, at the start or later. The iterator's `return` and the signal stop the provider's work.
   */
  generate(request: ProviderRequest, signal: AbortSignal): AsyncIterable<ProviderEvent>;
  /** Releases all resources. */
  close(): Promise<void>;
}

/** The capabilities of a model. */
export interface LlmCapabilities {
  /** Whether it writes its own text. A model that only quotes answers questions and does no other task. */
  readonly generative: boolean;
  /** Whether it reads the evidence as passages. Otherwise the gateway renders it into the messages. */
  readonly readsEvidence: boolean;
  /** Longest prompt and completion together, in tokens; 0: not known. */
  readonly contextTokens: number;
  /** Longest completion, in tokens; 0: not known. */
  readonly maxOutputTokens: number;
  readonly tools: boolean;
  readonly images: boolean;
  readonly jsonSchema: boolean;
  /** Whether it can continue `ProviderRequest.prefix`. */
  readonly prefill: boolean;
  /** Whether it can be asked for a reply in one piece. @default false */
  readonly whole?: boolean;
  /** Fields of the provider's own API that callers may set. @default none */
  readonly requestFields?: readonly string[];
}

/** A request to a provider. */
export interface ProviderRequest {
  /** The conversation. It includes the evidence, unless the provider reads passages. */
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
  /** How long the provider should cache the constant part of the prompt, in seconds; 0: as configured. */
  promptCacheSeconds: number;
  /** The partial answer that the completion continues without repeating it; only with `prefill`. */
  prefix: string;
  /** Whether the reply is wanted in one piece; only with `whole`. The provider may stream it nevertheless. */
  whole: boolean;
  /** Opaque identifier of the tenant for the provider: for cache salts and abuse reports. Never the tenant's name. */
  tenantTag: string;
  /** Fields of the provider's own API, for the body of the request. Fields that the adapter sets itself come first. */
  extra: Readonly<Record<string, unknown>>;
  /** Field of an assistant's message for its reasoning; empty: reasoning is not sent. */
  reasoningField: string;
  /** Whether the provider's own values of tool calls are sent to it. */
  callExtraContent: boolean;
  /** Warnings about what the request lost on the way to this provider. */
  warnings: readonly string[];
}

/** An event of a provider's stream. */
export type ProviderEvent =
  /** `model`: its name in the response; `warnings`: fields of the request that the provider does not support and that were omitted. */
  | { kind: 'started'; model: string; warnings: readonly string[] }
  | { kind: 'text'; text: string }
  | { kind: 'reasoning'; text: string }
  | {
      kind: 'tool-call';
      index: number;
      id: string;
      name: string;
      argumentsJson: string;
      extraContentJson?: string | undefined;
    }
  | { kind: 'usage'; usage: ProviderUsage }
  | { kind: 'end'; outcome: Outcome; reason: string };

/** Content of a completion. */
export type Content = Extract<ProviderEvent, { kind: 'text' | 'reasoning' | 'tool-call' }>;

/**
 * The provider's cumulative counts of tokens. `undefined`: not reported, which is not zero. Adapters pass what the provider reports, and
 * NaN for a value that is not a number: the gateway accepts only possible counts, and estimates the rest.
 */
export interface ProviderUsage {
  /** The whole prompt, including tokens that were read from or written to a cache. */
  promptTokens: number | undefined;
  /** The whole completion, including reasoning. */
  completionTokens: number | undefined;
  /** Of the prompt: read from the provider's cache. */
  cachedPromptTokens: number | undefined;
  /** Of the prompt: written to the provider's cache. */
  cacheWriteTokens: number | undefined;
  /** Of the completion: reasoning. */
  reasoningTokens: number | undefined;
}

/** What an adapter depends on. */
export interface LlmProviderDeps {
  log: Logger;
  /** Place of the model in the configuration, for errors: "llm_gateway.models[0]". */
  path: string;
  /** Sends every request to the provider. It bounds the time for a connection and the number of connections. */
  fetch: typeof globalThis.fetch;
}
