import type { AccessList } from '#gen/ragmesh/common/v1/common_pb.ts';
import { canSee } from '#kit/rpc/access.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { Caller } from '../jobs/run/caller.ts';
import { createIndexClient, type IndexWriter } from '../jobs/run/index-client.ts';
import type { ContentKey } from './document-store.ts';

/** A content that is live, with the access list that the index has for it. */
export interface LiveContent extends ContentKey {
  access: AccessList | undefined;
}

/** Which contents are live. The index decides, and also who may see them. */
export interface LiveContents {
  /** Returns the live contents of those of the documents that the caller may see. */
  visible(corpus: string, documentIds: readonly string[], context: CallContext): Promise<LiveContent[]>;
  /** Returns which of the documents are live, also those that the caller may not see: the answer must not show them. */
  held(corpus: string, documentIds: readonly string[], context: CallContext): Promise<Set<string>>;
}

/** Creates the look-up. */
export function createLiveContents(indexWriter: IndexWriter, caller: Caller): LiveContents {
  const entriesOf = async (
    corpus: string,
    documentIds: readonly string[],
    context: CallContext,
    as: 'asReader' | 'asService',
  ) => {
    if (documentIds.length === 0) return [];
    const index = createIndexClient(indexWriter, corpus, async () => ({
      ...context.forward(),
      ...(await caller[as](context.principal)),
    }));
    return [...(await index.entries(0n, documentIds))];
  };
  return {
    async visible(corpus, documentIds, context) {
      const entries = await entriesOf(corpus, documentIds, context, 'asReader');
      return entries
        .map(([documentId, { contentHash, access }]) => ({ documentId, contentHash, access }))
        .filter(({ access }) => canSee(context.principal, access));
    },
    async held(corpus, documentIds, context) {
      const entries = await entriesOf(corpus, documentIds, context, 'asService');
      return new Set(entries.map(([documentId]) => documentId));
    },
  };
}
