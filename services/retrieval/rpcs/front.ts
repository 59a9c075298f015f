import type { Client } from '@connectrpc/connect';
import { LRUCache } from 'lru-cache';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { ListCorporaResponse, RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { accessKey } from '#kit/rpc/access.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { shareMessage } from '#kit/rpc/messages/shared-message.ts';

/** What retrieval in the owner of a group does for the fronts in its workers. */
export interface RetrievalPort {
  /** Returns the revision of a tenant's index, which changes whenever readers may see something else. */
  revision(tenant: string): Promise<string>;
}

/** Lists of corpora that are kept, of callers who see the same. */
const maxLists = 10_000;

/**
 * Creates the front of retrieval in a worker: it keeps lists of corpora, which are a part of every key of the answer cache. Before each
 * use of a list it compares the revision of the index, so a list is never older than the index is when it is asked for. `revisionOf`:
 * the revision of a tenant's index now.
 */
export function createFront(
  owner: Client<typeof RetrievalService>,
  revisionOf: RetrievalPort['revision'],
): Pick<ServiceHandlers<typeof RetrievalService>, 'listCorpora'> {
  const lists = new LRUCache<string, { revision: string; list: ListCorporaResponse }>({ max: maxLists });
  return {
    async listCorpora(request, context) {
      const { principal } = context;
      const seesAll = principal.roles.includes(Role.SERVICE) || principal.roles.includes(Role.OPERATOR);
      const key = `${seesAll} ${accessKey(principal)}`;
      // Before the list is read: a list that is newer than its revision is read once more, and no list is older.
      const revision = await revisionOf(principal.tenant);
      const known = lists.get(key);
      if (known?.revision === revision) return known.list;
      const list = shareMessage(await owner.listCorpora(request, context.forward()));
      lists.set(key, { revision, list });
      return list;
    },
  };
}
