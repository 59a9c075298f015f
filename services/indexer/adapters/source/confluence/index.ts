import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import { htmlContent } from '../../../sources/as-document.ts';
import { createJsonApi, listingSource, readReply } from '../../../sources/json-api.ts';
import type { Entry, Source, SourceDeps } from '../../../sources/source.ts';
import { confluenceAccess } from './access.ts';

const settings = {
  base_url: z.string().min(1).max(512).describe('Address of the site, such as https://acme.atlassian.net'),
  email: z.string().min(1).max(256).describe('User to whom the token belongs; the source reads what this user may see'),
  api_token: secret(),
  space_ids: z
    .array(z.string().regex(/^\d+$/))
    .max(100)
    .describe('Numbers of the spaces that are read. Empty: all')
    .default([]),
  all_users_groups: z
    .array(z.string().min(1).max(128))
    .max(20)
    .describe(
      'With sync_permissions: ids of groups that hold every user, whose mention beside other groups restricts no one',
    )
    .default([]),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time of one request').default(30_000),
};

const page = z.object({
  id: z.coerce.string(),
  title: z.string().nullish(),
  status: z.string().nullish(),
  version: z.object({ number: z.number(), createdAt: z.string().nullish() }),
  _links: z.object({ webui: z.string().nullish(), base: z.string().nullish() }).nullish(),
});
const list = z.object({ results: z.array(page), _links: z.object({ next: z.string().nullish() }).nullish() });
const whole = page.extend({ body: z.object({ export_view: z.object({ value: z.string() }).nullish() }).nullish() });

/** Reads the current pages of Confluence Cloud, and who may see them. (developer.atlassian.com: REST API v2, pages) */
export const adapter = defineAdapter({
  settings,
  create({ base_url, email, api_token, space_ids, all_users_groups, timeout_ms }, deps: SourceDeps): Source {
    const login = Buffer.from(`${email}:${api_token}`).toString('base64');
    const headers = () => ({ authorization: `Basic ${login}` });
    const baseUrl = baseUrlOf(base_url, 'settings');
    const api = createJsonApi({ name: 'confluence', baseUrl, headers, timeoutMs: timeout_ms }, deps);
    const spaces = space_ids.length === 0 ? '' : `&space-id=${space_ids.join(',')}`;
    const pages = async function* (signal: AbortSignal): AsyncIterable<Entry[]> {
      for (
        let path: string | undefined = `/wiki/api/v2/pages?status=current&limit=100${spaces}`;
        path !== undefined;
      ) {
        const found: z.infer<typeof list> = readReply('confluence', list, await api.get(path, signal));
        yield found.results.map(({ id, version }) => ({ id, version: String(version.number) }));
        path = found._links?.next ?? undefined;
      }
    };
    const source = listingSource(pages, async (id, signal) => {
      const found = await api.get(`/wiki/api/v2/pages/${encodeURIComponent(id)}?body-format=export_view`, signal);
      if (found === undefined) return { kind: 'gone' };
      const { title, status, version, body, _links } = readReply('confluence', whole, found);
      const html = body?.export_view?.value;
      if ((status ?? 'current') !== 'current' || !html) return { kind: 'gone' };
      const url = _links?.webui ? (_links.base ?? `${baseUrl}/wiki`) + _links.webui : '';
      return {
        kind: 'content',
        content: htmlContent({ title: title ?? '', url, updated: version.createdAt ?? '' }, html),
      };
    });
    const about = { spaceIds: space_ids, allUsers: all_users_groups };
    return { ...source, permissions: (signal) => confluenceAccess(api, about, signal) };
  },
});
