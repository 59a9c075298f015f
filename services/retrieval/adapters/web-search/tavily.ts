import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { WebSearch } from '../../stores/web-search.ts';
import { createAskWeb, endpoint, malformed, rowsOf, textOf, type WebReplyError } from '../vendors/web/http.ts';

// Tavily. https://docs.tavily.com/documentation/api-reference/endpoint/search

const webSettings = {
  api_key: secret(),
  url: z.string().default('https://api.tavily.com'),
  timeout_ms: z.int().min(100).max(60_000).default(5000),
};

export const adapter = defineAdapter<WebSearch, Record<string, never>, typeof webSettings>({
  settings: webSettings,
  create(settings) {
    const address = endpoint(settings.url, '/search', 'retrieval.web_search.settings.url');
    const ask = createAskWeb(settings.timeout_ms, statusOf);
    return {
      search({ text, limit }, signal) {
        const init = {
          method: 'POST',
          headers: {
            accept: 'application/json',
            'content-type': 'application/json',
            authorization: `Bearer ${settings.api_key}`,
          },
          // Tavily detects the language of a question. Its own answer is not requested, only the texts of pages.
          body: JSON.stringify({
            query: text,
            search_depth: 'basic',
            max_results: limit,
            include_answer: false,
            include_raw_content: false,
            include_images: false,
          }),
        };
        const read = (json: unknown) => {
          const rows = rowsOf((json as { results?: unknown } | null)?.results);
          if (rows === undefined) throw malformed('results');
          return rows.map((row) => ({
            title: textOf(row.title),
            url: textOf(row.url),
            snippet: textOf(row.content),
          }));
        };
        return ask(address, init, read, signal);
      },
    };
  },
});

// 432 and 433: the limit of the plan or of its cost is reached.
function statusOf({ status }: WebReplyError): number {
  return status === 432 || status === 433 ? 429 : status;
}
