import { ConnectError } from '@connectrpc/connect';
import OpenAI, { APIUserAbortError } from 'openai';
import type {
  ChatCompletionChunk,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import { type Message, MessageRole, Outcome, type Tool } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { defineAdapter } from '#kit/adapters.ts';
import { ConfigError } from '#kit/config-error.ts';
import { invalidArgument } from '#kit/errors.ts';
import type { LlmProvider, LlmProviderDeps, ProviderEvent, ProviderRequest } from '../../llm-provider.ts';
import { isFiltered, type ProviderFailure, toProviderError } from '../../provider-errors.ts';

/** Any server that speaks OpenAI's chat completions: OpenAI, Ollama, vLLM, Azure's v1, Model Studio's compatible mode, … */
export const adapter = defineAdapter({
  settings: {
    base_url: { type: 'string', default: 'https://api.openai.com/v1' },
    api_key: { type: 'string', default: '', secret: true },
    /** Empty: the first model that the server lists. */
    model: { type: 'string', default: '' },
    context_tokens: { type: 'number', default: 0, min: 0, max: 100_000_000 },
    price_prompt: { type: 'number', default: 0, min: 0, max: 1_000_000 },
    price_cached_prompt: { type: 'number', default: -1, min: -1, max: 1_000_000 },
    price_completion: { type: 'number', default: 0, min: 0, max: 1_000_000 },
    currency: { type: 'string', default: '' },
    first_token_timeout_ms: { type: 'number', default: 30_000, min: 100, max: 600_000 },
    idle_timeout_ms: { type: 'number', default: 20_000, min: 100, max: 280_000 },
  },
  create(settings, { path }: LlmProviderDeps): LlmProvider {
    const { base_url: baseURL, api_key: apiKey, currency } = settings;
    if (!/^https?:\/\//.test(baseURL) || !URL.canParse(baseURL)) {
      throw new ConfigError(`${path}.settings.base_url`, `is "${baseURL}": an http or https address is needed`);
    }
    const client = new OpenAI({
      baseURL,
      // The SDK wants a key; servers without keys ignore it.
      apiKey: apiKey || 'none',
      // Nothing is taken from the environment behind the configuration's back.
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      // Who retries, and for how long to wait, is the gateway's business. Prompts never reach a log.
      maxRetries: 0,
      timeout: 600_000,
      logLevel: 'off',
    });
    const host = new URL(baseURL).hostname;
    const limitField = /\.openai\.(?:com|azure\.com)$/.test(host) ? 'max_completion_tokens' : 'max_tokens';
    let model = settings.model;
    const findModel = async (signal: AbortSignal): Promise<string> => {
      if (model === '') model = (await firstModel(client, signal)) ?? '';
      if (model !== '') return model;
      throw toProviderError(failureOf({ status: 404, code: 'no_model_listed' }), undefined);
    };
    return {
      name: settings.model || host,
      contextTokens: settings.context_tokens,
      generative: true,
      readsEvidence: false,
      price:
        currency === ''
          ? undefined
          : {
              prompt: settings.price_prompt,
              cachedPrompt: settings.price_cached_prompt < 0 ? settings.price_prompt : settings.price_cached_prompt,
              completion: settings.price_completion,
              currency,
            },
      patience: { firstDeltaMs: settings.first_token_timeout_ms, idleMs: settings.idle_timeout_ms },
      async *generate(request, signal): AsyncIterable<ProviderEvent> {
        try {
          const body = toBody(request, await findModel(signal), limitField);
          const chunks = await client.chat.completions.create(body, { signal });
          yield { kind: 'started', model: body.model };
          for await (const chunk of chunks) yield* readChunk(chunk);
          // The SDK ends an aborted stream as if it were over.
          signal.throwIfAborted();
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof APIUserAbortError) throw signal.reason;
          if (error instanceof ConnectError) throw error;
          const failure = failureOf(error as SdkError);
          if (!isFiltered(failure)) throw toProviderError(failure, error);
          yield { kind: 'end', outcome: Outcome.FILTERED, reason: failure.code };
        }
      },
      close: async () => {},
    };
  },
});

async function firstModel(client: OpenAI, signal: AbortSignal): Promise<string | undefined> {
  const ids: string[] = [];
  for (const { id } of (await client.models.list({ signal })).data) ids.push(id);
  return ids.find((id) => !/embed|rerank|bge|whisper/i.test(id));
}

/** What an error of the SDK may hold. Inside a stream, servers send an object, a string, or a status as the code. */
interface SdkError {
  status?: number | undefined;
  code?: unknown;
  type?: unknown;
  error?: unknown;
  headers?: Headers | undefined;
  cause?: unknown;
}

function failureOf(error: SdkError): ProviderFailure {
  const code = error.code ?? error.type ?? networkCode(error) ?? '';
  const { http_status_code: inner } = (error.error ?? {}) as { http_status_code?: number };
  const status = error.status ?? inner ?? (typeof code === 'number' ? code : undefined);
  return { status, code: typeof code === 'string' ? code : '', header: (name) => error.headers?.get(name) };
}

/** ECONNREFUSED and the like, which fetch hides two causes deep. */
function networkCode(error: SdkError): unknown {
  const outer = error.cause as SdkError | undefined;
  return (outer?.cause as SdkError | undefined)?.code ?? outer?.code;
}

function toBody(
  { messages, maxTokens, temperature, topP, stop, tools }: ProviderRequest,
  model: string,
  limitField: 'max_tokens' | 'max_completion_tokens',
): ChatCompletionCreateParamsStreaming {
  return {
    model,
    messages: messages.map(toMessage),
    stream: true,
    stream_options: { include_usage: true },
    ...(maxTokens > 0 ? { [limitField]: maxTokens } : {}),
    ...(temperature === undefined ? {} : { temperature: rounded(temperature) }),
    ...(topP === undefined ? {} : { top_p: rounded(topP) }),
    ...(stop.length > 0 ? { stop: [...stop] } : {}),
    ...(tools.length > 0 ? { tools: tools.map(toTool) } : {}),
  };
}

/** A float32 of the contract as a person wrote it: 0.7, not 0.699999988079071. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

function toMessage({ role, text, toolCalls, toolCallId }: Message): ChatCompletionMessageParam {
  switch (role) {
    case MessageRole.SYSTEM:
      return { role: 'system', content: text };
    case MessageRole.ASSISTANT:
      if (toolCalls.length === 0) return { role: 'assistant', content: text };
      return {
        role: 'assistant',
        content: text || null,
        tool_calls: toolCalls.map(({ id, name, argumentsJson }) => ({
          id,
          type: 'function',
          function: { name, arguments: argumentsJson },
        })),
      };
    case MessageRole.TOOL:
      return { role: 'tool', content: text, tool_call_id: toolCallId };
    default:
      return { role: 'user', content: text };
  }
}

function toTool({ name, description, parametersJson }: Tool) {
  let parameters: Record<string, unknown>;
  try {
    parameters = JSON.parse(parametersJson || '{}') as Record<string, unknown>;
  } catch (cause) {
    throw invalidArgument(`parameters_json of tool "${name}" is not JSON`, { cause });
  }
  return { type: 'function' as const, function: { name, description, parameters } };
}

/** What servers add to a delta: DeepSeek's and Model Studio's name for reasoning, and Ollama's and vLLM's. */
interface ReasoningDelta {
  reasoning_content?: string | null;
  reasoning?: string | null;
}

function* readChunk({ choices, usage }: ChatCompletionChunk): Iterable<ProviderEvent> {
  // Azure sends a first chunk without choices or usage; the last one of every server has usage and no choices.
  if (usage) {
    yield {
      kind: 'usage',
      usage: {
        promptTokens: usage.prompt_tokens ?? 0,
        completionTokens: usage.completion_tokens ?? 0,
        cachedPromptTokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
        reasoningTokens: usage.completion_tokens_details?.reasoning_tokens ?? 0,
      },
    };
  }
  const choice = choices?.find(({ index }) => (index ?? 0) === 0);
  if (choice === undefined) return;
  const delta = choice.delta as (ChatCompletionChunk.Choice.Delta & ReasoningDelta) | undefined;
  const reasoning = delta?.reasoning_content || delta?.reasoning;
  if (reasoning) yield { kind: 'reasoning', text: reasoning };
  const text = delta?.content || delta?.refusal;
  if (text) yield { kind: 'text', text };
  for (const [at, call] of (delta?.tool_calls ?? []).entries()) {
    yield {
      kind: 'tool-call',
      index: call.index ?? at,
      id: call.id ?? '',
      name: call.function?.name ?? '',
      argumentsJson: call.function?.arguments ?? '',
    };
  }
  if (choice.finish_reason)
    yield { kind: 'end', outcome: toOutcome(choice.finish_reason), reason: choice.finish_reason };
}

/** Only a finish_reason ends a completion; neither [DONE] nor the end of the stream does. */
function toOutcome(reason: string): Outcome {
  switch (reason) {
    case 'length':
      return Outcome.LENGTH;
    case 'content_filter':
      return Outcome.FILTERED;
    case 'tool_calls':
    case 'function_call':
      return Outcome.TOOL_CALLS;
    case 'error':
    case 'insufficient_system_resource':
      return Outcome.UPSTREAM_ERROR;
    case 'abort':
      return Outcome.TRUNCATED;
    default:
      return Outcome.COMPLETE;
  }
}
