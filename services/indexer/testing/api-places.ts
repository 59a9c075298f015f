import { createHash } from 'node:crypto';
import type { LoopbackReply, LoopbackRequest } from '#kit/testing/http.ts';

/** An article of a fake help centre. */
export interface PlaceArticle {
  name: string;
  text: string;
  /** Number of its changes, all over the place: a later change has a larger one. */
  change: number;
}

/** A fake of a vendor's API, with the shapes that its documentation has. */
export interface ApiPlace {
  adapter: string;
  settings(url: string): object;
  /** The id of an article as the adapter names it. */
  idOf(name: string): string;
  answer(request: LoopbackRequest, articles: readonly PlaceArticle[], url: string): LoopbackReply;
}

const absent: LoopbackReply = { status: 404, json: { error: 'RecordNotFound' } };
const numberOf = (name: string) => name.charCodeAt(0) - 96;
const find = (articles: readonly PlaceArticle[], number: number) =>
  articles.find(({ name }) => numberOf(name) === number);
const timeOf = (change: number) => new Date(1_790_000_000_000 + change * 1000).toISOString();
/** Returns a page of two, and the start of the next one. */
function pageOf<T>(all: readonly T[], from: string | null): { page: T[]; next: string | undefined } {
  const start = Number(from ?? 0);
  return { page: all.slice(start, start + 2), next: start + 2 < all.length ? String(start + 2) : undefined };
}

const zendeskArticle = ({ name, text, change }: PlaceArticle, url: string) => ({
  ...{ id: numberOf(name), title: `Title ${name}`, body: `<p>${text}</p>`, draft: false, updated_at: timeOf(change) },
  ...{ html_url: `${url}/hc/en-us/articles/${numberOf(name)}`, locale: 'en-us', label_names: ['faq'] },
  user_segment_id: name === 'a' ? 7 : null,
});

export const zendesk: ApiPlace = {
  adapter: 'zendesk',
  settings: (url) => ({ base_url: url, email: 'agent@example.com', api_token: 'k' }),
  idOf: (name) => String(numberOf(name)),
  answer({ path }, articles, url) {
    const { pathname, searchParams } = new URL(path, url);
    const root = '/api/v2/help_center';
    if (pathname === `${root}/incremental/articles`) {
      const start = Number(searchParams.get('start_time'));
      const changed = articles.filter(({ change }) => change >= start).sort((a, b) => a.change - b.change);
      const end = changed.at(-1)?.change ?? start;
      const next_page = changed.length > 0 ? `${url}${root}/incremental/articles?start_time=${end}` : null;
      return {
        json: {
          articles: changed.map((each) => zendeskArticle(each, url)),
          count: changed.length,
          end_time: end,
          next_page,
        },
      };
    }
    if (pathname === `${root}/articles`) {
      const { page, next } = pageOf(articles, searchParams.get('page[after]'));
      const link = `${url}${root}/articles?page[size]=100&page[after]=${next}`;
      const links = { next: next === undefined ? null : link };
      return {
        json: {
          articles: page.map((each) => zendeskArticle(each, url)),
          meta: { has_more: next !== undefined },
          links,
        },
      };
    }
    const found = find(articles, Number(pathname.slice(`${root}/articles/`.length)));
    return found === undefined ? absent : { json: { article: zendeskArticle(found, url) } };
  },
};

const intercomArticle = ({ name, text, change }: PlaceArticle) => ({
  ...{
    type: 'article',
    id: String(numberOf(name)),
    title: `Title ${name}`,
    body: `<p>${text}</p>`,
    state: 'published',
  },
  ...{ updated_at: 1_790_000_000 + change, url: `https://intercom.help/en/articles/${numberOf(name)}` },
});

export const intercom: ApiPlace = {
  adapter: 'intercom',
  settings: (url) => ({ base_url: url, access_token: 'k' }),
  idOf: (name) => String(numberOf(name)),
  answer({ path }, articles, url) {
    const { pathname, searchParams } = new URL(path, url);
    if (pathname !== '/articles') {
      const found = find(articles, Number(pathname.slice('/articles/'.length)));
      return found === undefined ? absent : { json: intercomArticle(found) };
    }
    const draft = { ...intercomArticle({ name: 'z', text: 'draft', change: 0 }), state: 'draft' };
    const { page, next } = pageOf([...articles.map(intercomArticle), draft], searchParams.get('starting_after'));
    const pages = {
      type: 'pages',
      page: 1,
      per_page: 50,
      ...(next !== undefined && { next: { per_page: 50, starting_after: next } }),
    };
    return { json: { type: 'list', pages, total_count: articles.length, data: page } };
  },
};

const confluencePage = ({ name, change }: PlaceArticle) => ({
  ...{ id: String(numberOf(name)), status: 'current', title: `Title ${name}`, spaceId: '5' },
  version: { number: change, createdAt: timeOf(change) },
  _links: { webui: `/spaces/HELP/pages/${numberOf(name)}` },
});

export const confluence: ApiPlace = {
  adapter: 'confluence',
  settings: (url) => ({ base_url: url, email: 'bot@example.com', api_token: 'k', space_ids: ['5'] }),
  idOf: (name) => String(numberOf(name)),
  answer({ path }, articles, url) {
    const { pathname, searchParams } = new URL(path, url);
    if (pathname !== '/wiki/api/v2/pages') {
      const found = find(articles, Number(pathname.slice('/wiki/api/v2/pages/'.length)));
      if (found === undefined) return absent;
      const body = { export_view: { representation: 'export_view', value: `<p>${found.text}</p>` } };
      const page = confluencePage(found);
      return { json: { ...page, body, _links: { ...page._links, base: 'https://acme.atlassian.net/wiki' } } };
    }
    const { page, next } = pageOf(articles, searchParams.get('cursor'));
    const link = `/wiki/api/v2/pages?status=current&limit=100&space-id=5&cursor=${next}`;
    return {
      json: {
        results: page.map(confluencePage),
        _links: { base: 'https://x', ...(next !== undefined && { next: link }) },
      },
    };
  },
};

const notionId = (name: string) => `${createHash('md5').update(name).digest('hex').slice(0, 8)}-0000`;
const rich = (text: string) => [{ type: 'text', plain_text: text }];
const notionPage = ({ name, change }: PlaceArticle) => ({
  ...{ object: 'page', id: notionId(name), last_edited_time: timeOf(change), in_trash: false, archived: false },
  ...{
    url: `https://www.notion.so/${name}`,
    properties: { Name: { id: 'title', type: 'title', title: rich(`Title ${name}`) } },
  },
});
const notionBlock = (id: string, type: string, text: string, has_children = false) => ({
  ...{ object: 'block', id, type, has_children },
  [type]: { rich_text: rich(text) },
});

export const notion: ApiPlace = {
  adapter: 'notion',
  settings: (url) => ({ base_url: url, token: 'k' }),
  idOf: notionId,
  answer({ path, body }, articles, url) {
    const { pathname, searchParams } = new URL(path, url);
    const list = <T>(all: readonly T[], from: string | null) => {
      const { page, next } = pageOf(all, from);
      return { json: { object: 'list', results: page, has_more: next !== undefined, next_cursor: next ?? null } };
    };
    if (pathname === '/v1/search') {
      const trash = { ...notionPage({ name: 'z', text: '', change: 0 }), in_trash: true };
      return list([...articles.map(notionPage), trash], (body as { start_cursor?: string }).start_cursor ?? null);
    }
    const [, , kind, id = ''] = pathname.split('/');
    const found = articles.find(({ name }) => notionId(name) === id);
    if (kind === 'pages') return found === undefined ? absent : { json: notionPage(found) };
    if (id === 'list') return list([notionBlock('inner', 'bulleted_list_item', 'an inner point')], null);
    const blocks = [
      notionBlock('h', 'heading_2', 'A heading'),
      notionBlock('t', 'paragraph', found?.text ?? ''),
      notionBlock('list', 'bulleted_list_item', 'a point', true),
      { object: 'block', id: 'd', type: 'divider', has_children: false, divider: {} },
    ];
    return list(blocks, searchParams.get('start_cursor'));
  },
};

const feishuNode = ({ name, change }: PlaceArticle) => ({
  ...{
    space_id: '6',
    node_token: `wik${name}`,
    obj_token: `dox${name}`,
    obj_type: 'docx',
    parent_node_token: '',
    node_type: 'origin',
  },
  ...{ has_child: name === 'a', title: `Title ${name}`, obj_edit_time: String(1_790_000_000 + change) },
});
const feishuBlock = (block_type: number, name: string, content: string) => ({
  ...{ block_id: `${name}${content}`, block_type },
  [name]: { elements: [{ text_run: { content } }] },
});

export const feishu: ApiPlace = {
  adapter: 'feishu',
  settings: (url) => ({
    base_url: url,
    app_id: 'cli_1',
    app_secret: 'k',
    space_ids: ['6'],
    url_prefix: 'https://acme.feishu.cn/wiki/',
  }),
  idOf: (name) => `wik${name}`,
  answer({ path, headers }, articles, url) {
    const { pathname, searchParams } = new URL(path, url);
    if (pathname === '/open-apis/auth/v3/tenant_access_token/internal') {
      return { json: { code: 0, msg: 'ok', tenant_access_token: 't-1', expire: 7200 } };
    }
    if (headers.authorization !== 'Bearer t-1')
      return { status: 400, json: { code: 99991663, msg: 'Invalid access token' } };
    const list = <T>(all: readonly T[]) => {
      const { page, next } = pageOf(all, searchParams.get('page_token'));
      return {
        json: { code: 0, msg: 'success', data: { items: page, has_more: next !== undefined, page_token: next ?? '' } },
      };
    };
    if (pathname === '/open-apis/wiki/v2/spaces/6/nodes') {
      // The article "b" is below "a", beside a sheet.
      const isBelow = searchParams.get('parent_node_token') === 'wika';
      const here = articles.filter(({ name }) => (name === 'b') === isBelow).map(feishuNode);
      return list([
        ...here,
        { ...feishuNode({ name: 'z', text: '', change: 0 }), obj_type: 'sheet', node_token: `sheet${isBelow}` },
      ]);
    }
    if (pathname === '/open-apis/wiki/v2/spaces/get_node') {
      const found = articles.find(({ name }) => `wik${name}` === searchParams.get('token'));
      return {
        json: found === undefined ? { code: 131005, msg: 'not found' } : { code: 0, data: { node: feishuNode(found) } },
        ...(found === undefined && { status: 400 }),
      };
    }
    const found = articles.find(({ name }) => pathname === `/open-apis/docx/v1/documents/dox${name}/blocks`);
    if (found === undefined) return { status: 400, json: { code: 1770002, msg: 'not found' } };
    return list([
      { block_id: 'root', block_type: 1, page: { elements: [{ text_run: { content: 'Title' } }] } },
      feishuBlock(4, 'heading2', 'A heading'),
      feishuBlock(2, 'text', found.text),
      feishuBlock(12, 'bullet', 'a point'),
      { block_id: 'i', block_type: 27, image: { token: 'x' } },
    ]);
  },
};
