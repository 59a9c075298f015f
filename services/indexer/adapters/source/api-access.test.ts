import { describe, expect, test } from 'vitest';
import { type LoopbackReply, type LoopbackRequest, startLoopback } from '#kit/testing/http.ts';
import type { EntryAccess } from '../../sources/source.ts';
import { openTestSource } from '../../testing/source-deps.ts';

// Who may see what, as the vendors' documentation shows requests and replies.

const never = new AbortController().signal;
type Answers = Readonly<Record<string, LoopbackReply['json'] | ((request: LoopbackRequest) => LoopbackReply)>>;

/** Reads the access of all entries of a place that answers these requests and refuses all others. Returns it, and the requests. */
async function readAccess(adapter: string, settings: object, answers: Answers) {
  await using server = await startLoopback((request) => {
    const key = `${request.method} ${decodeURIComponent(request.path)}`;
    const answer = answers[key];
    if (answer === undefined) return { status: 404, json: { message: `no ${key}` } };
    return typeof answer === 'function' ? answer(request) : { json: answer };
  });
  const source = await openTestSource(adapter, { base_url: server.url, ...settings });
  const found: EntryAccess[] = [];
  for await (const page of source.permissions?.(never) ?? []) found.push(...page);
  await source.close();
  const requests = server.requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`);
  return { access: new Map(found.map(({ id, groups }) => [id, groups])), requests };
}

describe('who may see a page of Confluence', () => {
  const settings = { email: 'bot@example.com', api_token: 'k', space_ids: ['5'] };
  const list = (results: readonly object[], next?: string) => ({
    results,
    _links: { base: 'https://acme.atlassian.net/wiki', ...(next !== undefined && { next }) },
  });
  const may = (type: string, id: string, key = 'read', targetType = 'space') => ({
    id: '1',
    principal: { type, id },
    operation: { key, targetType },
  });
  const read = (users: readonly string[], groups: readonly string[]) => ({
    operation: 'read',
    restrictions: {
      user: { results: users.map((accountId) => ({ type: 'known', accountId })), start: 0, limit: 200 },
      group: { results: groups.map((id) => ({ type: 'group', name: `name of ${id}`, id })), start: 0, limit: 200 },
    },
  });
  const page = (id: string, ancestors: readonly string[], restrictions?: object) => ({
    ...{ id, type: 'page', status: 'current', ancestors: ancestors.map((above) => ({ id: above })) },
    ...(restrictions !== undefined && { restrictions: { read: restrictions } }),
  });
  const expand = 'ancestors,restrictions.read.restrictions.user,restrictions.read.restrictions.group';
  const search = `GET /wiki/rest/api/content/search?cql=type = page and space = "HELP"&expand=${expand}&limit=100`;
  const answers = {
    'GET /wiki/api/v2/spaces?limit=250&ids=5': list([{ id: '5', key: 'HELP' }]),
    'GET /wiki/api/v2/spaces/5/permissions?limit=250': list(
      [may('group', 'staff'), may('group', 'editors', 'create', 'page'), may('role', 'viewer')],
      '/wiki/api/v2/spaces/5/permissions?limit=250&cursor=2',
    ),
    'GET /wiki/api/v2/spaces/5/permissions?limit=250&cursor=2': list([may('user', 'ann'), may('group', 'hr')]),
    [search]: list(
      [
        page('1', [], read([], [])),
        page('2', ['1'], read(['ann'], ['hr'])),
        page('3', ['1', '2'], read([], ['staff', 'hr'])),
      ],
      '/rest/api/content/search?cursor=next',
    ),
    'GET /wiki/rest/api/content/search?cursor=next': list([
      page('4', ['1'], read([], ['guests'])),
      page('5', ['90'], read([], [])),
      page('6', ['91'], read([], [])),
      page('7', ['1']),
      page('8', ['7'], read([], [])),
    ]),
    'GET /wiki/rest/api/content/90/restriction/byOperation/read': read([], ['hr']),
  };

  test('is a reader of the space whom no page above it and not the page itself leaves out', async () => {
    const { access, requests } = await readAccess('confluence', settings, answers);
    expect(access).toEqual(
      new Map([
        ['1', ['staff', 'user:ann', 'hr']],
        ['2', ['user:ann', 'hr']],
        ['3', ['hr']],
        // Guests are no readers of the space.
        ['4', []],
        // A folder is above it.
        ['5', ['hr']],
        // Of "6" the folder cannot be read, of "7" the own restrictions, which are above "8" too: they are not known.
      ]),
    );
    expect(requests).toEqual([...Object.keys(answers), 'GET /wiki/rest/api/content/91/restriction/byOperation/read']);
  });

  test('a group of all users leaves no one out', async () => {
    const { access } = await readAccess('confluence', { ...settings, all_users_groups: ['staff'] }, answers);
    expect(access.get('4')).toEqual(['guests']);
    expect(access.get('3')).toEqual(['user:ann', 'hr']);
  });
});

describe('who may see a page of Notion', () => {
  const option = (name: string) => ({ id: 'x', name, color: 'blue' });
  const page = (id: string, more: object) => ({
    ...{
      object: 'page',
      id,
      last_edited_time: '2026-11-03T00:00:00.000Z',
      in_trash: false,
      url: 'https://notion.so/x',
    },
    ...{ public_url: null, ...more },
  });
  const reply = {
    object: 'list',
    results: [
      page('web', { public_url: 'https://acme.notion.site/x' }),
      page('many', { properties: { Groups: { type: 'multi_select', multi_select: [option('hr'), option('staff')] } } }),
      page('one', { properties: { Groups: { type: 'select', select: option('hr') } } }),
      page('none', { properties: { Groups: { type: 'select', select: null } } }),
      page('other', { properties: { Team: { type: 'select', select: option('hr') } } }),
    ],
    has_more: false,
    next_cursor: null,
  };

  test('is everyone if it is on the web, else whom a property names', async () => {
    const settings = { token: 'k', groups_property: 'Groups' };
    const { access, requests } = await readAccess('notion', settings, { 'POST /v1/search': reply });
    expect(access).toEqual(
      new Map<string, unknown>([
        ['web', 'everyone'],
        ['many', ['hr', 'staff']],
        ['one', ['hr']],
        ['none', []],
        ['other', []],
      ]),
    );
    expect(requests).toEqual(['POST /v1/search']);
  });

  test('is no one without such a property', async () => {
    const { access } = await readAccess('notion', { token: 'k' }, { 'POST /v1/search': reply });
    expect(access.get('many')).toEqual([]);
  });
});

describe('who may see a page of Feishu', () => {
  const node = (name: string) => ({
    ...{ space_id: '6', node_token: name, obj_token: `dox${name}`, obj_type: 'docx', has_child: false, title: name },
    obj_edit_time: '1790000000',
  });
  const ok = (data: object) => ({ code: 0, msg: 'success', data });
  const members = (name: string) => `GET /open-apis/drive/v1/permissions/${name}/members?type=wiki&fields=type`;
  const answers: Answers = {
    'POST /open-apis/auth/v3/tenant_access_token/internal': { code: 0, tenant_access_token: 't-1', expire: 7200 },
    'GET /open-apis/wiki/v2/spaces/6/nodes?page_size=50': ok({ items: ['a', 'b', 'c'].map(node), has_more: false }),
    [members('a')]: ok({
      items: [
        { member_type: 'openchat', member_id: 'oc_1', perm: 'view', perm_type: 'container', type: 'chat' },
        { member_type: 'opendepartmentid', member_id: 'od-1', perm: 'edit', type: 'department' },
        { member_type: 'wikispaceid', member_id: '6', perm: 'view', type: 'wiki_space_viewer' },
      ],
    }),
    [members('b')]: () => ({ status: 403, json: { code: 1063002, msg: 'Permission denied' } }),
    [members('c')]: ok({ items: [] }),
  };
  const settings = { app_id: 'cli_1', app_secret: 'k', space_ids: ['6'] };

  test('is its collaborators; of a page that the application may not read it is not known', async () => {
    const { access, requests } = await readAccess('feishu', settings, answers);
    expect(access).toEqual(
      new Map([
        ['a', ['openchat:oc_1', 'opendepartmentid:od-1', 'wiki_space_viewer:6']],
        ['c', []],
      ]),
    );
    expect(requests).toEqual(Object.keys(answers));
  });

  test('is not changed if the reply is another failure', async () => {
    const failing = { ...answers, [members('b')]: () => ({ status: 400, json: { code: 1063001, msg: 'Invalid' } }) };
    await expect(readAccess('feishu', settings, failing)).rejects.toMatchObject({ code: 'code_1063001' });
  });
});
