import { z } from 'zod';
import { HttpFailure } from '#kit/http/failure.ts';
import { type JsonApi, readReply } from '../../../sources/json-api.ts';
import type { EntryAccess } from '../../../sources/source.ts';
import { dataOf } from './reply.ts';

const members = z.object({
  items: z.array(z.object({ member_type: z.string(), member_id: z.string(), type: z.string().nullish() })).nullish(),
});
/** Codes of a page whose members the application may not read, and of one that is deleted. */
const unreadable = new Set(['code_1063002', 'code_1063005']);

/**
 * Returns who may see a page of a knowledge space: its collaborators, by the type and value of their ids, such as `openchat:oc_1` or
 * `opendepartmentid:od-1`; those of a space as `wiki_space_member:<space id>`, `wiki_space_viewer:…` and `wiki_space_editor:…`. Sharing by link
 * shows a page to no one here. Returns `undefined` if the application may not read it. (open.feishu.cn: drive v1, permission members, list)
 */
export async function feishuAccess(
  api: JsonApi,
  nodeToken: string,
  signal: AbortSignal,
): Promise<EntryAccess | undefined> {
  const path = `/drive/v1/permissions/${encodeURIComponent(nodeToken)}/members?type=wiki&fields=type`;
  try {
    const reply = dataOf(await api.get(path, signal));
    if (reply === undefined) return undefined;
    const { items } = readReply('feishu', members, reply);
    return {
      id: nodeToken,
      groups: (items ?? []).map(({ member_type, member_id, type }) =>
        member_type === 'wikispaceid' ? `${type ?? ''}:${member_id}` : `${member_type}:${member_id}`,
      ),
    };
  } catch (error) {
    if (error instanceof HttpFailure && unreadable.has(error.code ?? '')) return undefined;
    throw error;
  }
}
