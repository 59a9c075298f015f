import { ConfigError } from '#kit/base/config-error.ts';
import { connectionError, readFailure, toProviderError } from '../error-from-wire.ts';
import type { ChatEndpoint } from './chat-completions.ts';

/** Address and headers of a server of chat completions. */
export interface ChatEndpointOptions {
  /** Address of the API: "https://api.example.com/v1". */
  baseUrl: string;
  /** All headers except those of the body. Secrets are only here. */
  headers: Readonly<Record<string, string>>;
  fetch: typeof globalThis.fetch;
  /** Name of the setting with the address, for errors: "llm_gateway.models[0].settings.base_url". */
  path: string;
}

const maxErrorBytes = 64 * 1024;

/** Creates the endpoint of an OpenAI-compatible server. It sends plain requests, without a vendor's package. */
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

/** Throws ConfigError if the address is not http or https; `path` names the setting. */
export function checkBaseUrl(baseUrl: string, path: string): void {
  if (/^https?:\/\//.test(baseUrl) && URL.canParse(baseUrl)) return;
  throw new ConfigError(path, `is "${baseUrl}": an http or https address is needed`);
}

/** Returns the error of a response with an error status. */
export async function failureOf(response: Response): Promise<Error> {
  const body = await readBounded(response);
  return toProviderError(readFailure(body, response.status, (name) => response.headers.get(name)));
}

/** Returns the body of an error: parsed JSON, or text. A truncated body is returned as far as it was read. */
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

/** Returns the `authorization` header of a key; no header without a key. */
export function bearer(apiKey: string): Record<string, string> {
  return apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` };
}
