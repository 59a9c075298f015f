import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { invalidReply } from '#kit/http/failure.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import { markdownContent } from '../../../sources/as-document.ts';
import { createJsonApi, listingSource, readReply } from '../../../sources/json-api.ts';
import type { Entry, EntryAccess, Source, SourceDeps } from '../../../sources/source.ts';
import { feishuAccess } from './access.ts';
import { dataOf } from './reply.ts';

const settings = {
  base_url: z
    .string()
    .min(1)
    .max(512)
    .describe('https://open.larksuite.com for Lark')
    .default('https://open.feishu.cn'),
  app_id: z.string().min(1).max(128),
  app_secret: secret(),
  space_ids: z.array(z.string().regex(/^\w+$/)).min(1).max(50).describe('Ids of the knowledge spaces that are read'),
  url_prefix: z
    .string()
    .max(512)
    .describe('Address of a page without its token, such as https://acme.feishu.cn/wiki/')
    .default(''),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time of one request').default(30_000),
};

const token = z.object({ code: z.number(), tenant_access_token: z.string(), expire: z.number() });
const node = z.object({
  node_token: z.string(),
  obj_token: z.string(),
  obj_type: z.string(),
  has_child: z.boolean().nullish(),
  title: z.string().nullish(),
  obj_edit_time: z.string().nullish(),
});
const nodes = z.object({
  items: z.array(node).nullish(),
  page_token: z.string().nullish(),
  has_more: z.boolean().nullish(),
});
const elements = z.array(z.object({ text_run: z.object({ content: z.string() }).nullish() }));
const block = z.looseObject({ block_type: z.number() });
const blocks = z.object({
  items: z.array(block).nullish(),
  page_token: z.string().nullish(),
  has_more: z.boolean().nullish(),
});
type Node = z.infer<typeof node>;

const nodesMax = 100_000;
/** A token is renewed before it ends. */
const earlyMs = 120_000;
/** Reads the documents of knowledge spaces of Feishu or Lark, and who may see them. (open.feishu.cn: wiki v2 nodes, docx v1 blocks) */
export const adapter = defineAdapter({
  settings,
  create({ base_url, app_id, app_secret, space_ids, url_prefix, timeout_ms }, deps: SourceDeps): Source {
    const options = {
      name: 'feishu',
      baseUrl: `${baseUrlOf(base_url, 'settings')}/open-apis`,
      timeoutMs: timeout_ms,
      hasCodes: true,
    };
    const open = createJsonApi({ ...options, headers: () => ({}) }, deps);
    let held = { value: '', untilMs: 0 };
    const headers = async (signal: AbortSignal) => {
      if (held.untilMs - earlyMs < deps.clock()) {
        const reply = await open.post('/auth/v3/tenant_access_token/internal', { app_id, app_secret }, signal);
        const { tenant_access_token, expire } = readReply('feishu', token, dataOf(reply, 'whole'));
        held = { value: tenant_access_token, untilMs: deps.clock() + expire * 1000 };
      }
      return { authorization: `Bearer ${held.value}` };
    };
    const api = createJsonApi({ ...options, headers }, deps);

    let listed = new Map<string, Node>();
    const nodesOf = async function* (space: string, parent: string, signal: AbortSignal): AsyncIterable<Node> {
      for (let from: string | undefined = ''; from !== undefined; ) {
        const more: string =
          (from === '' ? '' : `&page_token=${encodeURIComponent(from)}`) +
          (parent === '' ? '' : `&parent_node_token=${parent}`);
        const reply = dataOf(await api.get(`/wiki/v2/spaces/${space}/nodes?page_size=50${more}`, signal));
        const page: z.infer<typeof nodes> = readReply('feishu', nodes, reply);
        yield* page.items ?? [];
        from = page.has_more ? (page.page_token ?? undefined) : undefined;
      }
    };
    /** Lists the children of the first of `parents`, and adds those that have children themselves. */
    const listChildren = async (space: string, parents: string[], found: Map<string, Node>, signal: AbortSignal) => {
      const entries: Entry[] = [];
      for await (const each of nodesOf(space, parents.shift() ?? '', signal)) {
        if (found.size >= nodesMax) throw invalidReply('feishu', `there are more than ${nodesMax} pages`);
        if (found.has(each.node_token)) continue;
        found.set(each.node_token, each);
        if (each.has_child) parents.push(each.node_token);
        if (each.obj_type === 'docx') entries.push({ id: each.node_token, version: each.obj_edit_time ?? '' });
      }
      return entries;
    };
    const list = async function* (signal: AbortSignal): AsyncIterable<Entry[]> {
      const found = new Map<string, Node>();
      listed = found;
      for (const space of space_ids) {
        for (const parents = ['']; parents.length > 0; ) yield await listChildren(space, parents, found, signal);
      }
    };
    const linesOfDocument = async (document: string, signal: AbortSignal): Promise<string[] | undefined> => {
      const lines: string[] = [];
      for (let from: string | undefined = ''; from !== undefined; ) {
        const more: string = from === '' ? '' : `&page_token=${encodeURIComponent(from)}`;
        const reply = dataOf(
          await api.get(`/docx/v1/documents/${document}/blocks?page_size=500&document_revision_id=-1${more}`, signal),
        );
        if (reply === undefined) return undefined;
        const page: z.infer<typeof blocks> = readReply('feishu', blocks, reply);
        for (const each of page.items ?? []) lines.push(...linesOf(each));
        from = page.has_more ? (page.page_token ?? undefined) : undefined;
      }
      return lines;
    };
    const source = listingSource(list, async (id, signal) => {
      const known = listed.get(id);
      const found = known ?? (await nodeOf(id, api, signal));
      const lines = found?.obj_type === 'docx' ? await linesOfDocument(found.obj_token, signal) : undefined;
      if (found === undefined || lines === undefined) return { kind: 'gone' };
      const seconds = Number(found.obj_edit_time);
      const updated = seconds > 0 ? new Date(seconds * 1000).toISOString() : '';
      const url = url_prefix === '' ? '' : url_prefix + id;
      return {
        kind: 'content',
        content: markdownContent({ title: found.title ?? '', url, updated }, lines.join('\n\n')),
      };
    });
    const permissions = async function* (signal: AbortSignal): AsyncIterable<EntryAccess[]> {
      for await (const entries of list(signal)) {
        for (const { id } of entries) {
          const access = await feishuAccess(api, id, signal);
          if (access !== undefined) yield [access];
        }
      }
    };
    return { ...source, permissions };
  },
});

async function nodeOf(
  id: string,
  api: ReturnType<typeof createJsonApi>,
  signal: AbortSignal,
): Promise<Node | undefined> {
  const reply = dataOf(await api.get(`/wiki/v2/spaces/get_node?token=${encodeURIComponent(id)}`, signal));
  return reply === undefined ? undefined : readReply('feishu', z.object({ node }), reply).node;
}

/** Names of the blocks with text, by their number. */
const names: Readonly<Record<number, string>> = {
  2: 'text',
  12: 'bullet',
  13: 'ordered',
  14: 'code',
  15: 'quote',
  17: 'todo',
  ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [index + 3, `heading${index + 1}`])),
};

/** Returns a block as Markdown; nothing for one without text. */
function linesOf(given: z.infer<typeof block>): string[] {
  const name = names[given.block_type];
  const { data } = z.object({ elements }).safeParse(name === undefined ? undefined : given[name]);
  const words = (data?.elements ?? []).map(({ text_run }) => text_run?.content ?? '').join('');
  if (name === undefined || words.trim() === '') return [];
  const level = Number(/^heading(\d)$/.exec(name)?.[1] ?? 0);
  if (level > 0) return [`${'#'.repeat(Math.min(6, level + 1))} ${words}`];
  if (name === 'code') return [`\`\`\`\n${words}\n\`\`\``];
  if (name === 'bullet' || name === 'todo') return [`- ${words}`];
  return [name === 'ordered' ? `1. ${words}` : name === 'quote' ? `> ${words}` : words];
}
