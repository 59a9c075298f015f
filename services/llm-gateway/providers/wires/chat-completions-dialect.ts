import type { ReasoningEffort, ResponseFormat } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { ProviderRequest } from '../llm-provider.ts';

/** Fields of the request that a provider of chat completions may lack. */
export type ChatField =
  | 'temperature'
  | 'top_p'
  | 'seed'
  | 'frequency_penalty'
  | 'presence_penalty'
  | 'stop'
  | 'tools'
  | 'tool_choice'
  | 'parallel_tool_calls'
  | 'json_schema'
  | 'reasoning_effort';

/** How a provider's chat completions differ from OpenAI's. */
export interface ChatDialect {
  /** The provider in warnings: "seed: tgi has none". */
  vendor: string;
  /** What it has no field for, or not for this model and request: left out, with a warning. @default nothing */
  lacks?(request: ProviderRequest, model: string): readonly ChatField[];
  /** Whether that depends on the model, so that the warning names it. @default false */
  lacksByModel?: boolean;
  /** Warnings of its own. */
  notes?(request: ProviderRequest): readonly string[];
  /** Name of the field for the longest completion. @default 'max_tokens' */
  limitField?: 'max_tokens' | 'max_completion_tokens';
  /** Role of the operator's instructions. @default 'system' */
  systemRole?(model: string): 'system' | 'developer';
  /** Fields for how long the model thinks; `undefined` where it cannot do this. @default `reasoning_effort` */
  reasoning?(effort: ReasoningEffort, model: string): object | undefined;
  /** The `response_format`. @default OpenAI's */
  responseFormat?(form: ResponseFormat['form']): object | undefined;
  /** Fields that every request carries. */
  extra?: object;
  /** Fields that stand for the tenant. */
  tenant?(tag: string): object;
  /** Fields of the request, and of the assistant's message at its end, that make the completion go on from it. `undefined`: cannot. */
  prefill?: { body?: object; message?: object };
  /** Fields of `stream_options` beside `include_usage`. */
  streamOptions?: object;
}
