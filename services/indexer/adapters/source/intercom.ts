import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import { htmlContent } from '../../sources/as-document.ts';
import { createJsonApi, listingSource, readReply } from '../../sources/json-api.ts';
import type { Entry, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  base_url: z
    .string()
    .min(1)
    .max(512)
    .describe('Address of the API in the region of the workspace')
    .default('https://api.intercom.io'),
  access_token: secret(),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time of one request').default(30_000),
};

const article = z.object({
  id: z.coerce.string(),
  title: z.string().nullish(),
  body: z.string().nullish(),
  url: z.string().nullish(),
  state: z.string(),
  updated_at: z.number(),
});
const list = z.object({
  data: z.array(article),
  pages: z.object({ next: z.object({ starting_after: z.string().nullish() }).nullish() }).nullish(),
});

/** Reads the published articles of an Intercom help centre. (developers.intercom.com: List all articles) */
export const adapter = defineAdapter({
  settings,
  create({ base_url, access_token, timeout_ms }, deps: SourceDeps): Source {
    const headers = () => ({ authorization: `Bearer ${access_token}`, 'intercom-version': '2.11' });
    const baseUrl = baseUrlOf(base_url, 'settings');
    const api = createJsonApi({ name: 'intercom', baseUrl, headers, timeoutMs: timeout_ms }, deps);
    const pages = async function* (signal: AbortSignal): AsyncIterable<Entry[]> {
      for (let after: string | undefined = ''; after !== undefined; ) {
        const from: string = after === '' ? '' : `&starting_after=${encodeURIComponent(after)}`;
        const page: z.infer<typeof list> = readReply(
          'intercom',
          list,
          await api.get(`/articles?per_page=50${from}`, signal),
        );
        const shown = page.data.filter(({ state }) => state === 'published');
        yield shown.map(({ id, updated_at }) => ({ id, version: String(updated_at) }));
        after = page.pages?.next?.starting_after ?? undefined;
      }
    };
    return listingSource(pages, async (id, signal) => {
      const found = await api.get(`/articles/${encodeURIComponent(id)}`, signal);
      if (found === undefined) return { kind: 'gone' };
      const { title, body, url, state, updated_at } = readReply('intercom', article, found);
      if (state !== 'published' || !body) return { kind: 'gone' };
      const about = { title: title ?? '', url: url ?? '', updated: new Date(updated_at * 1000).toISOString() };
      return { kind: 'content', content: htmlContent(about, body) };
    });
  },
});
