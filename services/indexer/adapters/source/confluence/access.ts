import { z } from 'zod';
import { invalidReply } from '#kit/http/failure.ts';
import { type JsonApi, readReply } from '../../../sources/json-api.ts';
import type { EntryAccess } from '../../../sources/source.ts';

const link = z.object({ next: z.string().nullish() }).nullish();
const spaces = z.object({ results: z.array(z.object({ id: z.coerce.string(), key: z.string() })), _links: link });
const permissions = z.object({
  results: z.array(
    z.object({
      principal: z.object({ type: z.string(), id: z.string() }),
      operation: z.object({ key: z.string(), targetType: z.string() }),
    }),
  ),
  _links: link,
});
const restriction = z.object({
  restrictions: z.object({
    user: z.object({ results: z.array(z.object({ accountId: z.string().nullish() })) }),
    group: z.object({ results: z.array(z.object({ id: z.string().nullish() })) }),
  }),
});
const pages = z.object({
  results: z.array(
    z.object({
      id: z.coerce.string(),
      ancestors: z.array(z.object({ id: z.coerce.string() })).nullish(),
      restrictions: z.object({ read: restriction.nullish() }).nullish(),
    }),
  ),
  _links: link,
});

/** Who may see a page by the restrictions of one place; `everyone` if it has none, `unknown` if they cannot be read. */
type Level = readonly string[] | 'everyone' | 'unknown';

const pagesMax = 200_000;
const yieldCount = 500;

/**
 * Yields who may see each page: the readers of its space, cut by the restrictions of the page and of every page above it. Groups and users
 * are named by their ids, a user as `user:<account id>`. Which people two groups share is not known here, so only names that every place has
 * remain; groups of `allUsers` cut nothing. (developer.atlassian.com: REST API v2, space permissions; v1, content search and restrictions)
 */
export async function* confluenceAccess(
  api: JsonApi,
  { spaceIds, allUsers }: { spaceIds: readonly string[]; allUsers: readonly string[] },
  signal: AbortSignal,
): AsyncIterable<EntryAccess[]> {
  const ids = spaceIds.length === 0 ? '' : `&ids=${spaceIds.join(',')}`;
  for await (const { results } of follow(api, `/wiki/api/v2/spaces?limit=250${ids}`, spaces, signal)) {
    for (const space of results) yield* accessOfSpace(api, space, allUsers, signal);
  }
}

async function* accessOfSpace(
  api: JsonApi,
  space: { id: string; key: string },
  allUsers: readonly string[],
  signal: AbortSignal,
): AsyncIterable<EntryAccess[]> {
  const readers: string[] = [];
  const path = `/wiki/api/v2/spaces/${space.id}/permissions?limit=250`;
  for await (const { results } of follow(api, path, permissions, signal)) {
    const reading = results.filter(({ operation: { key, targetType } }) => key === 'read' && targetType === 'space');
    readers.push(...reading.flatMap(({ principal }) => nameOf(principal)));
  }
  const found: { id: string; ancestors: readonly string[] }[] = [];
  const own = new Map<string, Level>();
  const cql = encodeURIComponent(`type = page and space = "${space.key.replaceAll(/["\\]/g, '\\$&')}"`);
  const expand = 'ancestors,restrictions.read.restrictions.user,restrictions.read.restrictions.group';
  const search = `/wiki/rest/api/content/search?cql=${cql}&expand=${expand}&limit=100`;
  for await (const { results } of follow(api, search, pages, signal)) {
    for (const { id, ancestors, restrictions } of results) {
      if (found.length >= pagesMax) throw invalidReply('confluence', `a space has more than ${pagesMax} pages`);
      // Without the list of those above it, nothing is known of a page.
      own.set(id, ancestors ? levelOf(restrictions?.read) : 'unknown');
      found.push({ id, ancestors: (ancestors ?? []).map((above) => above.id) });
    }
  }
  for (let from = 0; from < found.length; from += yieldCount) {
    const accesses: EntryAccess[] = [];
    for (const { id, ancestors } of found.slice(from, from + yieldCount)) {
      const levels: Level[] = [readers];
      for (const each of [...ancestors, id]) {
        // A folder, or a page that the search does not return.
        if (!own.has(each)) own.set(each, await readLevel(api, each, signal));
        levels.push(own.get(each) ?? 'unknown');
      }
      const groups = levels.reduce((all, level) => narrow(all, level, allUsers));
      if (groups !== 'unknown') accesses.push({ id, groups });
    }
    yield accesses;
  }
}

async function readLevel(api: JsonApi, id: string, signal: AbortSignal): Promise<Level> {
  const path = `/wiki/rest/api/content/${encodeURIComponent(id)}/restriction/byOperation/read`;
  const reply = await api.get(path, signal);
  return reply === undefined ? 'unknown' : levelOf(readReply('confluence', restriction, reply));
}

function levelOf(read: z.infer<typeof restriction> | null | undefined): Level {
  if (!read) return 'unknown';
  const { user, group } = read.restrictions;
  const users = user.results.map(({ accountId }) => nameOf({ type: 'user', id: accountId ?? '' }));
  const groups = group.results.map(({ id }) => nameOf({ type: 'group', id: id ?? '' }));
  return users.length + groups.length === 0 ? 'everyone' : [...users, ...groups].flat();
}

/** Returns the name of a principal; nothing for a role and for one without an id. */
function nameOf({ type, id }: { type: string; id: string }): string[] {
  if (id === '') return [];
  if (type === 'group') return [id];
  return type === 'user' ? [`user:${id}`] : [];
}

/** Returns who passes two levels, as far as names show it. */
function narrow(a: Level, b: Level, allUsers: readonly string[]): Level {
  if (a === 'unknown' || b === 'unknown') return 'unknown';
  const holdsAll = (level: readonly string[]) => level.some((name) => allUsers.includes(name));
  if (b === 'everyone') return a;
  if (a === 'everyone' || holdsAll(a)) return b;
  return holdsAll(b) ? a : a.filter((name) => b.includes(name));
}

/** Yields the pages of a list. A link to the next page is a path below the site, or below `/wiki`. */
async function* follow<T extends { _links?: z.infer<typeof link> }>(
  api: JsonApi,
  first: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
): AsyncIterable<T> {
  for (let path: string | undefined = first; path !== undefined; ) {
    const page: T = readReply('confluence', schema, await api.get(path, signal));
    yield page;
    const next: string | undefined = page._links?.next ?? undefined;
    path = next?.startsWith('/rest/') ? `/wiki${next}` : next;
  }
}
