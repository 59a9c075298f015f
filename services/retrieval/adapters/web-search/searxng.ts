import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { WebSearch } from '../../stores/web-search.ts';
import { createAskWeb, endpoint, malformed, rowsOf, textOf } from '../vendors/web/http.ts';

// SearXNG, self-hosted. https://docs.searxng.org/dev/search_api.html
// Its settings.yml must allow JSON: `search: { formats: [html, json] }`; otherwise it answers 403.

const webSettings = {
  url: z.string(),
  safe_search: z.int().min(0).max(2).describe('0 none, 1 moderate, 2 strict').default(1),
  timeout_ms: z.int().min(100).max(60_000).default(5000),
};

export const adapter = defineAdapter<WebSearch, Record<string, never>, typeof webSettings>({
  settings: webSettings,
  create(settings) {
    const address = endpoint(settings.url, '/search', 'retrieval.web_search.settings.url');
    const ask = createAskWeb(settings.timeout_ms);
    return {
      search({ text, language }, signal) {
        const url = new URL(address);
        url.searchParams.set('q', text);
        url.searchParams.set('format', 'json');
        url.searchParams.set('categories', 'general');
        url.searchParams.set('safesearch', String(settings.safe_search));
        if (language !== '') url.searchParams.set('language', language);
        const read = (json: unknown) => {
          const rows = rowsOf((json as { results?: unknown } | null)?.results);
          if (rows === undefined) throw malformed('results');
          return rows.map((row) => ({
            title: textOf(row.title),
            url: textOf(row.url),
            snippet: textOf(row.content),
          }));
        };
        return ask(url, { headers: { accept: 'application/json' } }, read, signal);
      },
    };
  },
});
