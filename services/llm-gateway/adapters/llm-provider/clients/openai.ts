import OpenAI from 'openai';
import { ConfigError } from '#kit/config-error.ts';
import { connectionError, readFailure, toProviderError } from '../../../provider-errors.ts';
import type { ChatEndpoint } from '../../../wires/chat-completions.ts';

/** What a client of the `openai` package is made of. */
export interface OpenAiClientOptions {
  /** Where the API is: "https://api.openai.com/v1". */
  baseUrl: string;
  /** Every header beside those of the body. Secrets go here and nowhere else. */
  headers: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string>>;
  fetch: typeof globalThis.fetch;
  /** The setting that gives the address, for errors: "llm.models[0].settings.base_url". */
  path: string;
}

/** 24.8 days: the longest timer. Who waits, and for how long, is the gateway's business. */
const noTimeoutMs = 2_147_483_647;
const maxErrorBytes = 64 * 1024;

/** A client that only sends: no retries, no clock, no log, and nothing out of the environment behind the configuration's back. */
export function createOpenAiClient({ baseUrl, headers, query, fetch, path }: OpenAiClientOptions): OpenAI {
  if (!/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl)) {
    throw new ConfigError(path, `is "${baseUrl}": an http or https address is needed`);
  }
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
      const body = await readBounded(response);
      throw toProviderError(readFailure(body, response.status, (name) => response.headers.get(name)));
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

/** The body of an error, as JSON where it is some; a broken one is as good as none. */
async function readBounded(response: Response): Promise<unknown> {
  let text = '';
  try {
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      if (text.length > maxErrorBytes) break;
    }
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `authorization` with a key; no header at all without one. */
export function bearer(apiKey: string): Record<string, string> {
  return apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` };
}
