import { z } from 'zod';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { baseUrlOf } from '#kit/http/json.ts';
import { markdownContent } from '../../sources/as-document.ts';
import { createJsonApi, listingSource, readReply } from '../../sources/json-api.ts';
import type { Entry, EntryAccess, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  base_url: z.string().min(1).max(512).default('https://api.notion.com'),
  token: secret().describe('Token of an integration; the source reads the pages that are shared with it'),
  groups_property: z
    .string()
    .max(128)
    .describe(
      'With sync_permissions: property of pages of a database, a select or multi-select, that names the groups who may see them',
    )
    .default(''),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time of one request').default(30_000),
};

const richText = z.array(z.object({ plain_text: z.string() }));
const option = z.object({ name: z.string() });
const page = z.object({
  id: z.string(),
  url: z.string().nullish(),
  last_edited_time: z.string(),
  in_trash: z.boolean().nullish(),
  archived: z.boolean().nullish(),
  public_url: z.string().nullish(),
  properties: z
    .record(
      z.string(),
      z.object({
        type: z.string(),
        title: richText.nullish(),
        select: option.nullish(),
        multi_select: z.array(option).nullish(),
      }),
    )
    .nullish(),
});
const found = z.object({ results: z.array(page), has_more: z.boolean(), next_cursor: z.string().nullish() });
const text = z.object({
  rich_text: richText.nullish(),
  cells: z.array(richText).nullish(),
  title: z.string().nullish(),
});
const block = z.looseObject({ id: z.string(), type: z.string(), has_children: z.boolean().nullish() });
const children = z.object({ results: z.array(block), has_more: z.boolean(), next_cursor: z.string().nullish() });
type Page = z.infer<typeof page>;
type Block = z.infer<typeof block>;

const depthMax = 8;
const blocksMax = 20_000;

/** Reads the pages of a Notion workspace that are shared with an integration. (developers.notion.com: Search, block children) */
export const adapter = defineAdapter({
  settings,
  create({ base_url, token, groups_property, timeout_ms }, deps: SourceDeps): Source {
    const headers = () => ({ authorization: `Bearer ${token}`, 'notion-version': '2025-09-03' });
    const baseUrl = baseUrlOf(base_url, 'settings');
    const api = createJsonApi({ name: 'notion', baseUrl, headers, timeoutMs: timeout_ms }, deps);
    const pages = async function* (signal: AbortSignal): AsyncIterable<Page[]> {
      for (let start_cursor: string | undefined = ''; start_cursor !== undefined; ) {
        const from = start_cursor === '' ? {} : { start_cursor };
        const body = { filter: { property: 'object', value: 'page' }, page_size: 100, ...from };
        const reply: z.infer<typeof found> = readReply('notion', found, await api.post('/v1/search', body, signal));
        yield reply.results.filter(({ in_trash, archived }) => !in_trash && !archived);
        start_cursor = reply.has_more ? (reply.next_cursor ?? undefined) : undefined;
      }
    };
    const entries = async function* (signal: AbortSignal): AsyncIterable<Entry[]> {
      for await (const found of pages(signal))
        yield found.map(({ id, last_edited_time }) => ({ id, version: last_edited_time }));
    };
    const permissions = async function* (signal: AbortSignal): AsyncIterable<EntryAccess[]> {
      for await (const found of pages(signal)) yield found.map((each) => accessOf(each, groups_property));
    };
    const blocksOf = async function* (id: string, signal: AbortSignal): AsyncIterable<Block> {
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const from: string = cursor === '' ? '' : `&start_cursor=${encodeURIComponent(cursor)}`;
        const path = `/v1/blocks/${encodeURIComponent(id)}/children?page_size=100${from}`;
        const reply: z.infer<typeof children> = readReply('notion', children, await api.get(path, signal));
        yield* reply.results;
        cursor = reply.has_more ? (reply.next_cursor ?? undefined) : undefined;
      }
    };
    const source = listingSource(entries, async (id, signal) => {
      const reply = await api.get(`/v1/pages/${encodeURIComponent(id)}`, signal);
      if (reply === undefined) return { kind: 'gone' };
      const { url, last_edited_time, in_trash, archived, properties } = readReply('notion', page, reply);
      if (in_trash || archived) return { kind: 'gone' };
      const title = Object.values(properties ?? {}).find(({ type }) => type === 'title')?.title ?? [];
      const lines: string[] = [];
      const walk = async (parent: string, depth: number) => {
        for await (const child of blocksOf(parent, signal)) {
          if (lines.length >= blocksMax) return;
          lines.push(...linesOf(child, depth));
          // A page inside of a page is an entry of its own.
          if (child.has_children && depth < depthMax && !child.type.startsWith('child_'))
            await walk(child.id, depth + 1);
        }
      };
      await walk(id, 0);
      const about = { title: plain(title), url: url ?? '', updated: last_edited_time };
      return { kind: 'content', content: markdownContent(about, lines.join('\n\n')) };
    });
    return { ...source, permissions };
  },
});

/** The API does not say with whom a page is shared: only that it is on the web, or what a property of it names. */
function accessOf({ id, public_url, properties }: Page, property: string): EntryAccess {
  if (public_url) return { id, groups: 'everyone' };
  const named = property === '' ? undefined : properties?.[property];
  const options = [...(named?.multi_select ?? []), ...(named?.select ? [named.select] : [])];
  return { id, groups: options.map(({ name }) => name) };
}

const plain = (parts: z.infer<typeof richText>) => parts.map(({ plain_text }) => plain_text).join('');

/** Returns a block as Markdown; nothing for one without text. */
function linesOf(given: Block, depth: number): string[] {
  const { data: content } = text.safeParse(given[given.type]);
  if (content === undefined) return [];
  if (content.cells) return [content.cells.map(plain).join(' | ')];
  const words = plain(content.rich_text ?? []);
  if (words.trim() === '') return [];
  const heading = /^heading_(\d)$/.exec(given.type)?.[1];
  // The title of the page is the first level.
  if (heading !== undefined) return [`${'#'.repeat(Number(heading) + 1)} ${words}`];
  if (given.type === 'code') return [`\`\`\`\n${words}\n\`\`\``];
  const indent = '  '.repeat(Math.max(0, depth));
  if (given.type === 'bulleted_list_item' || given.type === 'to_do') return [`${indent}- ${words}`];
  if (given.type === 'numbered_list_item') return [`${indent}1. ${words}`];
  return given.type === 'quote' ? [`> ${words}`] : [words];
}
