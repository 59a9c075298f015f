import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import { htmlContent } from '../../sources/as-document.ts';
import { createJsonApi, readReply } from '../../sources/json-api.ts';
import type { EntryAccess, Fetched, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  base_url: z.string().min(1).max(512).describe('Address of the help centre, such as https://acme.zendesk.com'),
  email: z.string().min(1).max(256).describe('Agent or administrator to whom the token belongs'),
  api_token: secret(),
  locale: z
    .string()
    .max(16)
    .describe('Locale that is read, such as en-us. Empty: the source locale of each article')
    .default(''),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time of one request').default(30_000),
};

const article = z.object({
  id: z.number(),
  title: z.string().nullish(),
  body: z.string().nullish(),
  html_url: z.string().nullish(),
  draft: z.boolean().nullish(),
  updated_at: z.string(),
  label_names: z.array(z.string()).nullish(),
  user_segment_id: z.number().nullish(),
});
const incremental = z.object({
  articles: z.array(article),
  next_page: z.string().nullish(),
  end_time: z.number().nullish(),
});
const list = z.object({
  articles: z.array(article),
  meta: z.object({ has_more: z.boolean() }),
  links: z.object({ next: z.string().nullish() }),
});
const one = z.object({ article });
type Article = z.infer<typeof article>;

/**
 * Reads the articles of a Zendesk help centre. The group of an article is the id of its user segment; an article without one is open to
 * everyone. (developer.zendesk.com: Articles, incremental article exports)
 */
export const adapter = defineAdapter({
  settings,
  create({ base_url, email, api_token, locale, timeout_ms }, deps: SourceDeps): Source {
    const login = Buffer.from(`${email}/token:${api_token}`).toString('base64');
    const headers = () => ({ authorization: `Basic ${login}` });
    const baseUrl = `${baseUrlOf(base_url, 'settings')}/api/v2/help_center`;
    const api = createJsonApi({ name: 'zendesk', baseUrl, headers, timeoutMs: timeout_ms }, deps);
    const root = locale === '' ? '' : `/${encodeURIComponent(locale)}`;
    const pages = async function* (signal: AbortSignal): AsyncIterable<Article[]> {
      for (let path: string | undefined = `${root}/articles?page[size]=100`; path !== undefined; ) {
        const page: z.infer<typeof list> = readReply('zendesk', list, await api.get(path, signal));
        yield page.articles.filter(({ draft }) => draft !== true);
        path = page.meta.has_more ? (page.links.next ?? undefined) : undefined;
      }
    };
    return {
      listsAll: false,
      async *changes(cursor, signal) {
        // The export also names drafts, so they are read, and are gone.
        for (let from = cursor || '0'; ; ) {
          const page = readReply(
            'zendesk',
            incremental,
            await api.get(`/incremental/articles?start_time=${encodeURIComponent(from)}`, signal),
          );
          const to = String(page.end_time ?? from);
          yield {
            entries: page.articles.map(({ id, updated_at }) => ({ id: String(id), version: updated_at })),
            cursor: to,
          };
          if (page.articles.length === 0 || !page.next_page || to === from) return;
          from = to;
        }
      },
      async *ids(signal) {
        for await (const page of pages(signal)) yield page.map(({ id }) => String(id));
      },
      async fetch(id, _, signal): Promise<Fetched> {
        const found = await api.get(`${root}/articles/${encodeURIComponent(id)}`, signal);
        if (found === undefined) return { kind: 'gone' };
        const { title, body, html_url, draft, updated_at, label_names } = readReply('zendesk', one, found).article;
        if (draft || !body) return { kind: 'gone' };
        const labels = (label_names ?? []).join(', ');
        const about = {
          title: title ?? '',
          url: html_url ?? '',
          updated: updated_at,
          ...(labels !== '' && { attributes: { labels } }),
        };
        return { kind: 'content', content: htmlContent(about, body) };
      },
      async *permissions(signal) {
        for await (const page of pages(signal)) {
          yield page.map(({ id, user_segment_id: segment }): EntryAccess => {
            const isOpen = segment === null || segment === undefined;
            return { id: String(id), groups: isOpen ? 'everyone' : [String(segment)] };
          });
        }
      },
      close: async () => {},
    };
  },
});
