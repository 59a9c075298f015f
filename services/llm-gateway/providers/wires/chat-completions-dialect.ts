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
  /** Returns the fields that the provider lacks for this model and request. They are omitted with a warning. @default none */
  lacks?(request: ProviderRequest, model: string): readonly ChatField[];
  /** Whether these fields depend on the model, so that the warning names it. @default false */
  lacksByModel?: boolean;
  /** Returns other warnings of the provider. */
  notes?(request: ProviderRequest): readonly string[];
  /** Name of the field for the longest completion. @default 'max_tokens' */
  limitField?: 'max_tokens' | 'max_completion_tokens';
  /** Role of the operator's instructions. @default 'system' */
  systemRole?(model: string): 'system' | 'developer';
  /** Returns the fields of the reasoning effort; `undefined`: the model does not support it. @default `reasoning_effort` */
  reasoning?(effort: ReasoningEffort, model: string): object | undefined;
  /** Returns the `response_format`. @default OpenAI's */
  responseFormat?(form: ResponseFormat['form']): object | undefined;
  /** Fields of every request. */
  extra?: object;
  /** Returns the fields that identify the tenant. */
  tenant?(tag: string): object;
  /** Fields of the request and of its last assistant message that make the completion continue it; `undefined`: not supported. */
  prefill?: { body?: object; message?: object };
  /** Whether some models have no reply in one piece. @default false */
  streamsOnly?: boolean;
  /** Fields of `stream_options` beside `include_usage`. */
  streamOptions?: object;
}
