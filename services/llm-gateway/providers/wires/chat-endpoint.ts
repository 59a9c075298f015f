import { ConfigError } from '#kit/base/config-error.ts';
import { connectionError, readFailure, toProviderError } from '../error-from-wire.ts';
import type { ChatEndpoint } from './chat-completions.ts';

/** Where a server of chat completions is, and what it is sent. */
export interface ChatEndpointOptions {
  /** Where the API is: "https://api.example.com/v1". */
  baseUrl: string;
  /** Every header beside those of the body. Secrets go here and nowhere else. */
  headers: Readonly<Record<string, string>>;
  fetch: typeof globalThis.fetch;
  /** The setting that gives the address, for errors: "llm_gateway.models[0].settings.base_url". */
  path: string;
}

const maxErrorBytes = 64 * 1024;

/** Chat completions of a server that only speaks like OpenAI: plain requests, without a vendor's package in between. */
export function createChatEndpoint({ baseUrl, headers, fetch, path }: ChatEndpointOptions): ChatEndpoint {
  checkBaseUrl(baseUrl, path);
  const root = baseUrl.replace(/\/+$/, '');
  const accepting = { ...headers, 'user-agent': 'ragmesh', accept: 'application/json' };
  const sending = { ...accepting, 'content-type': 'application/json' };
  const send = async (route: string, init: RequestInit): Promise<Response> => {
    let response: Response;
    try {
      response = await fetch(root + route, init);
    } catch (error) {
      throw connectionError(error);
    }
    if (!response.ok) throw await failureOf(response);
    return response;
  };
  return {
    send: (body, signal) =>
      send('/chat/completions', { method: 'POST', headers: sending, body: JSON.stringify(body), signal }),
    async listModels(signal) {
      const response = await send('/models', { headers: accepting, signal });
      const { data } = (await response.json()) as { data?: readonly { id: string }[] };
      return (data ?? []).map(({ id }) => id);
    },
  };
}

/** Throws ConfigError for what is no address of a server; `path` names the setting. */
export function checkBaseUrl(baseUrl: string, path: string): void {
  if (/^https?:\/\//.test(baseUrl) && URL.canParse(baseUrl)) return;
  throw new ConfigError(path, `is "${baseUrl}": an http or https address is needed`);
}

/** The failure that a reply with an error status tells of. */
export async function failureOf(response: Response): Promise<Error> {
  const body = await readBounded(response);
  return toProviderError(readFailure(body, response.status, (name) => response.headers.get(name)));
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
