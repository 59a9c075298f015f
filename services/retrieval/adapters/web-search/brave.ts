import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { WebSearch } from '../../stores/web-search.ts';
import { createAskWeb, endpoint, malformed, rowsOf, textOf, type WebReplyError } from '../vendors/web/http.ts';

// Brave Search. https://api-dashboard.search.brave.com/app/documentation/web-search/query

/** Most words of a question that Brave accepts. */
const maxWords = 50;

const webSettings = {
  api_key: secret(),
  url: z.string().default('https://api.search.brave.com'),
  timeout_ms: z.int().min(100).max(60_000).default(5000),
};

export const adapter = defineAdapter<WebSearch, Record<string, never>, typeof webSettings>({
  settings: webSettings,
  create(settings) {
    const address = endpoint(settings.url, '/res/v1/web/search', 'retrieval.web_search.settings.url');
    const ask = createAskWeb(settings.timeout_ms, statusOf);
    return {
      search({ text, language, limit }, signal) {
        const url = new URL(address);
        url.searchParams.set('q', text.split(' ').slice(0, maxWords).join(' '));
        url.searchParams.set('count', String(limit));
        url.searchParams.set('safesearch', 'moderate');
        url.searchParams.set('text_decorations', 'false');
        url.searchParams.set('result_filter', 'web');
        if (language !== '') url.searchParams.set('search_lang', language === 'zh' ? 'zh-hans' : language);
        const headers = { accept: 'application/json', 'x-subscription-token': settings.api_key };
        const read = (json: unknown) => {
          const reply = json as { type?: unknown; web?: { results?: unknown } } | null;
          // The reply has no `web` if nothing was found.
          if (reply?.web === undefined && reply?.type === 'search') return [];
          const rows = rowsOf(reply?.web?.results);
          if (rows === undefined) throw malformed('web results');
          return rows.map((row) => ({
            title: textOf(row.title),
            url: textOf(row.url),
            snippet: [row.description, ...(Array.isArray(row.extra_snippets) ? row.extra_snippets : [])]
              .map(textOf)
              .join(' '),
          }));
        };
        return ask(url, { headers }, read, signal);
      },
    };
  },
});

// Brave refuses an unknown key with 422 and a code of its own.
function statusOf({ status, body }: WebReplyError): number {
  return status === 422 && body.includes('SUBSCRIPTION_TOKEN_INVALID') ? 401 : status;
}
