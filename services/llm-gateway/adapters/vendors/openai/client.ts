import OpenAI from 'openai';
import { connectionError } from '../../../providers/error-from-wire.ts';
import type { ChatEndpoint } from '../../../providers/wires/chat-completions.ts';
import { type ChatEndpointOptions, checkBaseUrl, failureOf } from '../../../providers/wires/chat-endpoint.ts';

/** What a client of the `openai` package is made of. */
export interface OpenAiClientOptions extends ChatEndpointOptions {
  query?: Readonly<Record<string, string>>;
}

/** 24.8 days: the longest timer. Who waits, and for how long, is the gateway's business. */
const noTimeoutMs = 2_147_483_647;

/** A client that only sends: no retries, no clock, no log, and nothing out of the environment behind the configuration's back. */
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
      // The package would add headers out of OPENAI_CUSTOM_HEADERS, for whichever provider this is, and facts about the machine.
      const sent: Record<string, string> = { ...headers, 'user-agent': 'ragmesh' };
      for (const name of ['accept', 'content-type']) {
        const value = own.get(name);
        if (value !== null) sent[name] = value;
      }
      const response = await fetch(url, { ...init, headers: sent });
      if (response.ok) return response;
      // Here, because the package keeps only the `error` of an error's body, which not every server has.
      throw await failureOf(response);
    },
  });
}

/** Chat completions of a client. */
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

/** The package wraps what its fetch throws. */
function rethrow(error: unknown): never {
  throw connectionError((error as { cause?: unknown }).cause ?? error);
}
