import { Code } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import { createMasksOf } from '#kit/personal-data/request-masks.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { explain } from '../search/explain/explain.ts';
import { runSearch } from '../search/lab/run-search.ts';
import { chooseViewer, recordView, type ViewAsDeps } from '../search/lab/view-as.ts';
import type { SearchDeps } from '../search/search.ts';

/** Returns the rpcs of the search lab: SearchLabService. */
export function createLabRpcs(deps: SearchDeps & ViewAsDeps): ServiceHandlers<typeof SearchLabService> {
  const masksOf = createMasksOf(deps.settings.personalData);
  const readable = (search: RetrieveRequest | undefined, caller: Principal): RetrieveRequest => {
    if (search === undefined) throw invalidArgument('search: is missing');
    if (!caller.roles.includes(Role.READER)) throw notReader();
    const masks = masksOf(caller);
    return masks === undefined ? search : { ...search, query: masks.mask(search.query) };
  };
  return {
    async runSearch({ search: given, viewAs }, context) {
      const search = readable(given, context.principal);
      const { viewer, groupsLeftOut } = chooseViewer(context.principal, viewAs);
      if (viewAs !== undefined) await recordView(deps, viewAs, { corpora: search.corpora }, context);
      return { ...(await runSearch(deps, search, context, viewer)), groupsLeftOut };
    },

    async explainDocument({ search: given, viewAs, corpus, documentId }, context) {
      const search = readable(given, context.principal);
      const { viewer, groupsLeftOut } = chooseViewer(context.principal, viewAs);
      if (viewAs !== undefined) await recordView(deps, viewAs, { corpus, documentId }, context);
      return { explanation: await explain(deps, { search, corpus, documentId }, context, viewer), groupsLeftOut };
    },
  };
}

function notReader() {
  const message = 'the search lab needs the role "reader" too: it searches as the caller may';
  return rpcError(Code.PermissionDenied, ErrorReason.ROLE_MISSING, message, { metadata: { role: 'reader' } });
}
