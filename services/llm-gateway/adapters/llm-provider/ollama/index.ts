import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { ProviderError } from '../../../providers/error.ts';
import { connectionError, readFailure } from '../../../providers/error-from-wire.ts';
import type { LlmProvider, LlmProviderDeps, ProviderEvent } from '../../../providers/llm-provider.ts';
import { createOllamaReader, toOllamaBody, toOllamaError } from './chat.ts';
import { NdjsonError, readNdjson } from './ndjson.ts';

/** Longest line, in bytes: a line has at most a whole tool call. */
const maxLineBytes = 4 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/** Ollama's native chat. It has more than the OpenAI-compatible one: context length, thinking, schemas, keep-alive. */
export const adapter = defineAdapter({
  settings: {
    base_url: z.string().default('http://127.0.0.1:11434'),
    api_key: secret().describe(`For Ollama's cloud, or a proxy in front; empty: none`).default(''),
    model: z.string().describe('Empty: the first model of the server that is not an embedding model').default(''),
    num_ctx: z
      .int()
      .min(0)
      .max(100_000_000)
      .describe(`Context of the server, prompt and completion together, in tokens; 0: the server's default`)
      .default(0),
    keep_alive: z
      .string()
      .describe(`How long the model stays loaded afterwards: "10m", "24h", "-1" for ever; empty: the server's default`)
      .default(''),
  },
  create(settings, { path, fetch }: LlmProviderDeps): LlmProvider {
    const { base_url: baseUrl, api_key: apiKey, num_ctx: contextTokens, keep_alive: keepAlive } = settings;
    if (!/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl)) {
      throw new ConfigError(`${path}.settings.base_url`, `is "${baseUrl}": an http or https address is needed`);
    }
    if (!/^(?:-?\d+(?:\.\d+)?(?:ms|s|m|h)?)?$/.test(keepAlive)) {
      throw new ConfigError(`${path}.settings.keep_alive`, `is "${keepAlive}": "10m", "24h", "0" or "-1" is needed`);
    }
    const root = baseUrl.replace(/\/+(?:v1\/?|api\/?)?$/, '');
    const headers = {
      'content-type': 'application/json',
      ...(apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` }),
    };
    /** Sends a request. Throws a ProviderError for a response with an error status. */
    const send = async (route: string, init: RequestInit): Promise<Response> => {
      const response = await fetch(`${root}${route}`, { ...init, headers });
      if (response.ok) return response;
      const text = await readText(response, maxErrorBytes);
      throw toOllamaError(readFailure(parsedOr(text), response.status, (name) => response.headers.get(name)));
    };
    let found = settings.model;
    const findModel = async (signal: AbortSignal): Promise<string> => {
      if (found !== '') return found;
      const tags = (await (await send('/api/tags', { signal })).json()) as { models?: { name?: string }[] };
      found =
        tags.models?.map(({ name }) => name ?? '').find((name) => !/embed|rerank|bge|minilm|^$/i.test(name)) ?? '';
      if (found !== '') return found;
      throw toOllamaError({ status: 404, codes: ['no_model_listed'], text: '', header: () => undefined });
    };
    return {
      name: settings.model || new URL(baseUrl).hostname,
      capabilities: {
        generative: true,
        readsEvidence: false,
        contextTokens,
        maxOutputTokens: 0,
        tools: true,
        images: true,
        jsonSchema: true,
        // Whether a model can continue a partial answer depends on its template: the configuration can enable it.
        prefill: false,
      },
      async *generate(request, signal): AsyncIterable<ProviderEvent> {
        const stop = new AbortController();
        const either = AbortSignal.any([signal, stop.signal]);
        try {
          signal.throwIfAborted();
          const model = await findModel(either);
          const { body, warnings } = toOllamaBody(request, { model, contextTokens, keepAlive });
          const response = await send('/api/chat', { method: 'POST', body: JSON.stringify(body), signal: either });
          const read = createOllamaReader(warnings, request.maxTokens);
          if (response.body === null) return;
          for await (const line of readNdjson(response.body, maxLineBytes)) yield* read(line);
          // Data that has already arrived is read without the connection, and does not notice the abort.
          signal.throwIfAborted();
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof NdjsonError) {
            throw new ProviderError({
              remedy: 'retry',
              message: `the provider's stream is broken: ${error.message}`,
              cause: error,
            });
          }
          throw connectionError(error);
        } finally {
          stop.abort();
        }
      },
      close: async () => {},
    };
  },
});

/** Returns the beginning of the text of a response. */
async function readText(response: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size >= maxBytes) break;
  }
  return Buffer.concat(parts).subarray(0, maxBytes).toString('utf8');
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
