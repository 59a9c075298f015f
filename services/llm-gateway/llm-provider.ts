import type { Language, Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Message, Outcome, Tool } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import type { Logger } from '#kit/log.ts';

/** A provider of completions: who it is, what it can take, and one verb. */
export interface LlmProvider {
  /** Name to call it by where the configuration gives none. */
  readonly name: string;
  /** Longest prompt and completion together, in tokens; 0: not known. */
  readonly contextTokens: number;
  /** Whether it writes text of its own. One that only quotes answers questions and does no other task. */
  readonly generative: boolean;
  /** Whether it reads the evidence as passages. Otherwise the gateway writes it into the messages. */
  readonly readsEvidence: boolean;
  /** What tokens cost; undefined: no price. */
  readonly price: Price | undefined;
  /** How long the gateway waits for it. */
  readonly patience: Patience;
  /**
   * Generates one completion. `started` comes first, once the provider has taken the request; then deltas in order; then `end`,
   * the only proof that the completion is whole; usage may come at any time, the last one counts. Throws the signal's reason
   * where it aborts; else a ConnectError, in the middle as well as at the start. The iterator's `return` stops the provider.
   */
  generate(request: ProviderRequest, signal: AbortSignal): AsyncIterable<ProviderEvent>;
  /** Frees everything. */
  close(): Promise<void>;
}

/** Prices in units of the currency for a million tokens. */
export interface Price {
  prompt: number;
  /** Of prompt tokens that the provider had cached. */
  cachedPrompt: number;
  completion: number;
  /** ISO 4217. */
  currency: string;
}

/** How long to wait for a provider, in milliseconds. */
export interface Patience {
  /** For the first delta. */
  firstDeltaMs: number;
  /** From one delta to the next. */
  idleMs: number;
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
  stop: readonly string[];
  language: Language;
  tools: readonly Tool[];
}

/** What comes from a provider. */
export type ProviderEvent =
  | { kind: 'started'; model: string }
  | { kind: 'text'; text: string }
  | { kind: 'reasoning'; text: string }
  | { kind: 'tool-call'; index: number; id: string; name: string; argumentsJson: string }
  | { kind: 'usage'; usage: ProviderUsage }
  | { kind: 'end'; outcome: Outcome; reason: string };

/** Tokens as the provider counts them: cached ones are part of the prompt, reasoning ones part of the completion. */
export interface ProviderUsage {
  promptTokens: number;
  completionTokens: number;
  cachedPromptTokens: number;
  reasoningTokens: number;
}

/** What an adapter is given. */
export interface LlmProviderDeps {
  log: Logger;
  /** Where the configuration names it, for errors. */
  path: string;
}
