import OpenAI from 'openai';
import { connectionError } from '../../../providers/error-from-wire.ts';
import type { ChatEndpoint } from '../../../providers/wires/chat-completions.ts';
import { type ChatEndpointOptions, checkBaseUrl, failureOf } from '../../../providers/wires/chat-endpoint.ts';

/** Options of a client of the `openai` package. */
export interface OpenAiClientOptions extends ChatEndpointOptions {
  query?: Readonly<Record<string, string>>;
}

/** 24.8 days, the longest timer: the gateway owns timeouts. */
const noTimeoutMs = 2_147_483_647;

/** Creates a client that only sends: no retries, no timeouts, no log, and no settings from the environment. */
export function createOpenAiClient({ baseUrl, headers, query, fetch, path }: OpenAiClientOptions): OpenAI {
  checkBaseUrl(baseUrl, path);
  return new OpenAI({
    baseURL: baseUrl,
    apiKey: 'in-headers',
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: noTimeoutMs,
    logLevel: 'off',
    ...(query === undefined ? {} : { defaultQuery: { ...query } }),
    async fetch(url, init) {
      const own = new Headers(init?.headers);
      // The package would add headers from OPENAI_CUSTOM_HEADERS, for any provider, and facts about the machine.
      const sent: Record<string, string> = { ...headers, 'user-agent': 'ragmesh' };
      for (const name of ['accept', 'content-type']) {
        const value = own.get(name);
        if (value !== null) sent[name] = value;
      }
      const response = await fetch(url, { ...init, headers: sent });
      if (response.ok) return response;
      // Read here, because the package keeps only the `error` of an error's body, which some servers lack.
      throw await failureOf(response);
    },
  });
}

/** Returns the endpoint of a client's chat completions. */
export function chatEndpoint(client: OpenAI): ChatEndpoint {
  return {
    async send(body, signal) {
      const sending = client.chat.completions.create(body as never, { signal });
      return await sending.asResponse().catch(rethrow);
    },
    async listModels(signal) {
      const { data } = await client.models.list({ signal }).catch(rethrow);
      return data.map(({ id }) => id);
    },
  };
}

/** Throws the error of `fetch`, which the package wraps. */
function rethrow(error: unknown): never {
  throw connectionError((error as { cause?: unknown }).cause ?? error);
}
