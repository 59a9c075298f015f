import { describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { type LoopbackReply, startLoopback } from '#kit/testing/http.ts';
import { sourceSuite } from '../../suites/source.suite.ts';
import {
  type ApiPlace,
  confluence,
  feishu,
  intercom,
  notion,
  type PlaceArticle,
  zendesk,
} from '../../testing/api-places.ts';
import { openTestSource } from '../../testing/source-deps.ts';

// The vendors' APIs, as their documentation shows requests and replies.

const never = new AbortController().signal;

async function start(place: ApiPlace) {
  const articles = new Map<string, PlaceArticle>();
  let changeCount = 0;
  let broken: LoopbackReply | undefined;
  const server = await startLoopback((request) => broken ?? place.answer(request, [...articles.values()], server.url));
  const open = (more: object = {}) => openTestSource(place.adapter, { ...place.settings(server.url), ...more });
  return {
    server,
    open,
    put(name: string, text: string) {
      articles.set(name, { name, text, change: ++changeCount });
      return place.idOf(name);
    },
    remove: (name: string) => articles.delete(name),
    fail(reply: LoopbackReply | undefined) {
      broken = reply;
    },
  };
}

for (const place of [zendesk, intercom, confluence, notion, feishu]) {
  sourceSuite(place.adapter, async () => {
    const { server, open, put, remove, fail } = await start(place);
    return {
      open: () => open(),
      put: async (name, text) => put(name, text),
      async remove(name) {
        remove(name);
      },
      async breakListing() {
        fail({ status: 503, json: {} });
        return async () => fail(undefined);
      },
      close: async () => server[Symbol.asyncDispose](),
    };
  });
}

describe('the requests and what is made of the replies', () => {
  test.each([
    [
      zendesk,
      { authorization: `Basic ${Buffer.from('agent@example.com/token:k').toString('base64')}` },
      [
        'GET /api/v2/help_center/incremental/articles?start_time=0',
        'GET /api/v2/help_center/incremental/articles?start_time=3',
        'GET /api/v2/help_center/articles?page[size]=100',
        'GET /api/v2/help_center/articles?page[size]=100&page[after]=2',
        'GET /api/v2/help_center/articles/1',
      ],
      ['<title>Title a</title>', '<p>Text a</p>'],
      '/hc/en-us/articles/1',
    ],
    [
      intercom,
      { authorization: 'Bearer k', 'intercom-version': '2.11' },
      [
        'GET /articles?per_page=50',
        'GET /articles?per_page=50&starting_after=2',
        ...['', '&starting_after=2'].map((more) => `GET /articles?per_page=50${more}`),
        'GET /articles/1',
      ],
      ['<title>Title a</title>', '<p>Text a</p>'],
      'https://intercom.help/en/articles/1',
    ],
    [
      confluence,
      { authorization: `Basic ${Buffer.from('bot@example.com:k').toString('base64')}` },
      [
        ...['', ''].flatMap(() => [
          'GET /wiki/api/v2/pages?status=current&limit=100&space-id=5',
          'GET /wiki/api/v2/pages?status=current&limit=100&space-id=5&cursor=2',
        ]),
        'GET /wiki/api/v2/pages/1?body-format=export_view',
      ],
      ['<title>Title a</title>', '<p>Text a</p>'],
      'https://acme.atlassian.net/wiki/spaces/HELP/pages/1',
    ],
    [
      notion,
      { authorization: 'Bearer k', 'notion-version': '2025-09-03' },
      [
        ...Array.from({ length: 4 }, () => 'POST /v1/search'),
        `GET /v1/pages/${notion.idOf('a')}`,
        `GET /v1/blocks/${notion.idOf('a')}/children?page_size=100`,
        `GET /v1/blocks/${notion.idOf('a')}/children?page_size=100&start_cursor=2`,
        'GET /v1/blocks/list/children?page_size=100',
      ],
      ['title: Title a', '### A heading\n\nText a\n\n- a point\n\n  - an inner point'],
      'https://www.notion.so/a',
    ],
    [
      feishu,
      { authorization: 'Bearer t-1' },
      [
        'POST /open-apis/auth/v3/tenant_access_token/internal',
        ...['', ''].flatMap(() => [
          'GET /open-apis/wiki/v2/spaces/6/nodes?page_size=50',
          'GET /open-apis/wiki/v2/spaces/6/nodes?page_size=50&page_token=2',
          'GET /open-apis/wiki/v2/spaces/6/nodes?page_size=50&parent_node_token=wika',
        ]),
        'GET /open-apis/docx/v1/documents/doxa/blocks?page_size=500&document_revision_id=-1',
        'GET /open-apis/docx/v1/documents/doxa/blocks?page_size=500&document_revision_id=-1&page_token=2',
        'GET /open-apis/docx/v1/documents/doxa/blocks?page_size=500&document_revision_id=-1&page_token=4',
      ],
      ['title: Title a', '### A heading\n\nText a\n\n- a point'],
      'https://acme.feishu.cn/wiki/wika',
    ],
  ] as const)('of $adapter', async (place, headers, requests, texts, url) => {
    const { server, open, put } = await start(place);
    for (const name of ['a', 'b', 'c']) put(name, `Text ${name}`);
    const source = await open();
    const changed = (await collect(source.changes('', never))).flatMap(({ entries }) => entries.map(({ id }) => id));
    expect(new Set(changed)).toEqual(new Set(['a', 'b', 'c'].map(place.idOf)));
    await collect(source.ids(never));
    const found = await source.fetch(place.idOf('a'), '', never);
    const content = found.kind === 'content' ? found.content : undefined;
    expect(content?.url).toBe(url.startsWith('/') ? server.url + url : url);
    for (const text of texts) expect(Buffer.from(content?.bytes ?? []).toString()).toContain(text);
    expect(server.requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`)).toEqual(requests);
    expect(server.requests.at(-1)?.headers).toMatchObject(headers);
    await source.close();
    await server[Symbol.asyncDispose]();
  });

  test('who may see an article of Zendesk is its user segment', async () => {
    const { server, open, put } = await start(zendesk);
    put('a', 'x');
    put('b', 'x');
    const source = await open();
    const pages: unknown[] = [];
    for await (const page of source.permissions?.(never) ?? []) pages.push(...page);
    expect(pages).toEqual([
      { id: '1', groups: ['7'] },
      { id: '2', groups: 'everyone' },
    ]);
    await source.close();
    await server[Symbol.asyncDispose]();
  });

  test('a limit of rate of Feishu is a code in a reply, and a refusal another one', async () => {
    const { server, open, fail, put } = await start(feishu);
    put('a', 'x');
    const source = await open();
    await collect(source.ids(never));
    fail({ status: 400, json: { code: 99991400, msg: 'request trigger frequency limit' } });
    await expect(collect(source.ids(never))).rejects.toMatchObject({ status: 429 });
    fail({ status: 400, json: { code: 131006, msg: 'permission denied' } });
    await expect(collect(source.ids(never))).rejects.toMatchObject({ status: 403, code: 'code_131006' });
    await source.close();
    await server[Symbol.asyncDispose]();
  });

  test('a limit of rate is said with its time, a wrong key without it, and a reply of another shape names the field', async () => {
    const { server, open, fail } = await start(confluence);
    const source = await open();
    const failure = async (reply: LoopbackReply) => {
      fail(reply);
      return collect(source.ids(never)).catch((error: unknown) => error);
    };
    expect(await failure({ status: 429, headers: { 'retry-after': '30' }, json: {} })).toMatchObject({ status: 429 });
    expect(await failure({ status: 401, json: { message: 'secret text' } })).toMatchObject({
      status: 401,
      message: 'status 401',
    });
    expect(String(await failure({ json: { results: [{ id: 1 }] } }))).toContain('results.0.version is missing');
    expect(String(await failure({ json: { results: [], _links: { next: 'https://evil.example/x' } } }))).toContain(
      'another host',
    );
    expect(String(await failure({ text: '<html>' }))).toContain('not JSON');
    await source.close();
    await server[Symbol.asyncDispose]();
  });
});
