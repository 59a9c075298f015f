import OpenAI from 'openai';
import { z } from 'zod';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { ProviderError } from '../../../providers/error.ts';
import { filterCode } from '../../../providers/error-from-wire.ts';
import type { LlmProvider, LlmProviderDeps, ProviderEvent } from '../../../providers/llm-provider.ts';
import { isWhole, noSdkTimeoutMs, sdkError, sdkFailure } from '../../../providers/wires/sdk-failure.ts';
import { createResponsesReader, eventsOfResponse, type ResponsesEvent, type ResponsesObject } from './events.ts';
import { toResponsesBody } from './request.ts';

/** OpenAI's Responses API: reasoning with summaries, nothing stored. Azure's v1 API has it under the same paths. */
export const adapter = defineAdapter({
  settings: {
    base_url: z.string().default('https://api.openai.com/v1'),
    api_key: secret(),
    model: z.string(),
    sampling: z
      .boolean()
      .describe('Whether the model accepts temperature and top_p when it does not think')
      .default(true),
    reasoning_summary: z
      .enum(['', 'auto', 'concise', 'detailed'])
      .describe('Summary of the reasoning of models that think. Empty: none')
      .default(''),
  },
  create(settings, { path, fetch }: LlmProviderDeps): LlmProvider {
    const { base_url: baseURL, api_key: apiKey, model, sampling, reasoning_summary: summary } = settings;
    if (!/^https?:\/\//.test(baseURL) || !URL.canParse(baseURL)) {
      throw new ConfigError(`${path}.settings.base_url`, `is "${baseURL}": an http or https address is needed`);
    }
    const client = new OpenAI({
      baseURL,
      // The SDK requires a key; servers without keys ignore it.
      apiKey: apiKey || 'none',
      // The SDK must not read settings from the environment.
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      fetch,
      // The gateway owns retries and timeouts. Prompts never reach a log.
      maxRetries: 0,
      timeout: noSdkTimeoutMs,
      logLevel: 'off',
    });
    return {
      name: model,
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens: 0,
        maxOutputTokens: 0,
        tools: true,
        images: true,
        jsonSchema: true,
        prefill: false,
      },
      async *generate(request, signal): AsyncIterable<ProviderEvent> {
        try {
          signal.throwIfAborted();
          const { body, warnings } = toResponsesBody(request, { model, sampling, reasoningSummary: summary });
          const { data: events, response } = await client.responses.create(body, { signal }).withResponse();
          const read = createResponsesReader(model, warnings, body.max_output_tokens ?? 0);
          if (isWhole(response)) {
            for (const event of eventsOfResponse((await response.json()) as ResponsesObject)) yield* read(event);
          } else {
            for await (const event of events) yield* read(event as ResponsesEvent);
          }
          // The SDK ends an aborted stream without an error.
          signal.throwIfAborted();
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof ProviderError) throw error;
          const filtered = filterCode(sdkFailure(error)?.codes ?? []);
          if (filtered === undefined) throw sdkError(error);
          yield { kind: 'end', outcome: Outcome.FILTERED, reason: filtered };
        }
      },
      close: async () => {},
    };
  },
});
