import Anthropic from '@anthropic-ai/sdk';
import { transformJSONSchema } from '@anthropic-ai/sdk/lib/transform-json-schema';
import type { MessageCreateParamsStreaming } from '@anthropic-ai/sdk/resources/messages';
import { z } from 'zod';
import { ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { ProviderError } from '../../../providers/error.ts';
import { connectionError, toProviderError, type WireFailure } from '../../../providers/error-from-wire.ts';
import type { LlmProvider, LlmProviderDeps, ProviderEvent } from '../../../providers/llm-provider.ts';
import { isWhole, noSdkTimeoutMs, sdkFailure } from '../../../providers/wires/sdk-failure.ts';
import { type AnthropicEvent, type AnthropicMessage, createAnthropicReader, eventsOfMessage } from './events.ts';
import { thinkingOf, thinkingWords } from './model.ts';
import { toAnthropicBody } from './request.ts';

const efforts: Record<string, ReasoningEffort> = {
  '': ReasoningEffort.UNSPECIFIED,
  none: ReasoningEffort.NONE,
  low: ReasoningEffort.LOW,
  medium: ReasoningEffort.MEDIUM,
  high: ReasoningEffort.HIGH,
};

/** Anthropic's Messages API, and servers that speak it: LiteLLM, Model Studio, … */
export const adapter = defineAdapter({
  settings: {
    base_url: z.string().default('https://api.anthropic.com'),
    api_key: secret().default(''),
    key_header: z
      .enum(['authorization', 'x-api-key'])
      .describe('Header of the key: a bearer token, or x-api-key for compatible servers that read only that')
      .default('authorization'),
    model: z.string(),
    max_tokens: z
      .int()
      .min(1)
      .max(10_000_000)
      .describe('Longest completion, in tokens, if the caller gives none: this API wants a limit')
      .default(4096),
    thinking: z
      .enum(['', ...thinkingWords])
      .describe('How the model thinks. Empty: derived from its name')
      .default(''),
    effort: z
      .enum(['', 'none', 'low', 'medium', 'high'])
      .describe('Reasoning effort if the caller sets none. Empty: the default of the model')
      .default(''),
    sampling: z
      .boolean()
      .describe(
        'Whether the model accepts temperature and top_p: Claude up to 4.6, by the API of 2023-06-01. Later models do not',
      )
      .default(false),
    prefill: z
      .boolean()
      .describe('Whether the model continues from the beginning of an answer: Claude up to 4.5')
      .default(false),
    prompt_cache: z
      .enum(['off', '5m', '1h'])
      .describe('How long the provider caches the constant part of prompts. A write costs more than one read saves')
      .default('off'),
    context_tokens: z.int().min(0).max(100_000_000).describe('Prompt and completion together, in tokens').default(0),
  },
  create(settings, { path, fetch }: LlmProviderDeps): LlmProvider {
    const { base_url: baseURL, api_key: apiKey, key_header: keyHeader, model, sampling } = settings;
    const { thinking, effort, prompt_cache: cache } = settings;
    if (!/^https?:\/\//.test(baseURL) || !URL.canParse(baseURL)) {
      throw new ConfigError(`${path}.settings.base_url`, `is "${baseURL}": an http or https address is needed`);
    }
    const client = new Anthropic({
      baseURL: baseURL.replace(/\/+(?:v1\/?)?$/, ''),
      // Without a key the SDK would read credentials from the environment and from files; servers without keys ignore it.
      apiKey: apiKey || 'none',
      authToken: null,
      webhookKey: null,
      defaultHeaders: {
        ...(keyHeader === 'x-api-key' ? { authorization: null, 'x-api-key': apiKey || 'none' } : {}),
        // Only the older API has sampling parameters.
        ...(sampling ? { 'anthropic-version': '2023-06-01' } : {}),
      },
      fetch,
      // The gateway owns retries, timeouts and spans. Prompts never reach a log.
      maxRetries: 0,
      timeout: noSdkTimeoutMs,
      openTelemetry: false,
      logLevel: 'off',
    });
    const defaults = {
      model,
      maxTokens: settings.max_tokens,
      thinking: thinking || thinkingOf(model),
      effort: efforts[effort] ?? ReasoningEffort.UNSPECIFIED,
      sampling,
      cache: cache === 'off' ? undefined : ({ type: 'ephemeral', ttl: cache as '5m' | '1h' } as const),
      toStrictSchema: transformJSONSchema,
    };
    return {
      name: model,
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: settings.context_tokens,
        maxOutputTokens: 0,
        tools: true,
        images: true,
        jsonSchema: true,
        prefill: settings.prefill,
      },
      async *generate(request, signal): AsyncIterable<ProviderEvent> {
        try {
          signal.throwIfAborted();
          const { body, warnings } = toAnthropicBody(request, defaults);
          const params: MessageCreateParamsStreaming = body;
          // Not by messages.create, which writes to the console for every request to a deprecated model.
          const { data: events, response } = await client
            .post<AsyncIterable<AnthropicEvent>>('/v1/messages', { body: params, signal, stream: true })
            .withResponse();
          const cutSpace = request.prefix.slice(request.prefix.trimEnd().length);
          const read = createAnthropicReader(model, warnings, cutSpace);
          if (isWhole(response)) {
            for (const event of eventsOfMessage((await response.json()) as AnthropicMessage)) yield* read(event);
          } else {
            for await (const event of events) yield* read(event);
          }
          // The SDK ends an aborted stream without an error.
          signal.throwIfAborted();
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof ProviderError) throw error;
          const failure = sdkFailure(error);
          throw failure === undefined ? connectionError(error) : toProviderError(withErrorCode(failure, error), error);
        }
      },
      close: async () => {},
    };
  },
});

/**
 * Returns the code from the details of an error, which is more exact than its type: a spend limit has the type of a rate limit, for
 * example. There is a growing number of codes for money: SDK, resources/shared, `…_spend_limit_reached`, `…_billing_unavailable`, `organization_on_hold`.
 */
function withErrorCode(failure: WireFailure, error: unknown): WireFailure {
  const { errorCode } = error as { errorCode?: unknown };
  const types = failure.codes.filter((code) => code !== 'error');
  if (typeof errorCode !== 'string') return { ...failure, codes: types };
  const isForMoney = /spend_limit|billing|not_billable|organization_on_hold/.test(errorCode);
  return { ...failure, codes: [errorCode, ...(isForMoney ? ['billing_error'] : []), ...types] };
}
