import type { GuardrailCategory } from '#gen/ragmesh/common/v1/guardrail_pb.ts';

/** Why a text breaks a rule. */
export interface Finding {
  readonly category: GuardrailCategory;
  /** The rule, in the words of the configuration or of the adapter: never the text itself. At most 128 characters. */
  readonly rule: string;
  /** How sure it is, 0 to 1. */
  readonly score: number;
}

/** A rule about texts: questions, and passages that answer them. */
export interface Guardrail {
  /** Whether it computes its findings here: they are then remembered by the text, and it can be neither away nor late. */
  readonly isLocal: boolean;
  /** Returns the findings of each text, in the order of the texts; empty for a text that follows the rule. Rejects if it cannot be known. */
  check(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly Finding[])[]>;
}

/** What an adapter of a guardrail gets from the service. */
export interface GuardrailDeps {
  readonly fetch: typeof globalThis.fetch;
  /** Its place in the configuration, for errors. */
  readonly path: string;
}
