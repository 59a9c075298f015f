import type { Client } from '@connectrpc/connect';
import type { AccessList } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { canSee, visibleGroups } from '#kit/rpc/access.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { fromPageToken, toDocument, toPageToken } from '../convert.ts';
import type { Caller } from '../jobs/run/caller.ts';
import { createIndexClient } from '../jobs/run/index-client.ts';
import type { DeleteDocuments } from './delete-documents.ts';
import type { DocumentStore, StoredDocument } from './document-store.ts';

/** What the rpcs about documents need. */
export interface DocumentRpcDeps {
  documents: DocumentStore;
  indexWriter: Client<typeof IndexWriterService>;
  caller: Caller;
  deleteDocuments: DeleteDocuments;
  log: Logger;
}

/** Ids looked at for one page, at most, as a multiple of its size: contents that are not live any more are passed over. */
const roundsMax = 20;

type Rpcs = Pick<ServiceHandlers<typeof IndexerService>, 'listDocuments' | 'getDocument' | 'deleteDocuments'>;

/**
 * The rpcs about documents. Which content of a document is live, and whether the caller may see it, is asked of the index with
 * the rights of a reader: what a search can't find, these don't show, list or count.
 */
export function createDocumentRpcs({ documents, indexWriter, caller, deleteDocuments, log }: DocumentRpcDeps): Rpcs {
  const liveContents = async (corpus: string, documentIds: readonly string[], context: CallContext) => {
    const principal = context.principal;
    const index = createIndexClient(indexWriter, corpus, async () => ({
      ...context.forward(),
      ...(await caller.asReader(principal)),
    }));
    const entries = await index.entries(0n, documentIds);
    return [...entries].map(([documentId, entry]) => ({ documentId, ...entry }));
  };
  return {
    async listDocuments({ corpus, pageSize, pageToken, idPrefix }, context) {
      const principal = context.principal;
      const scope = { tenant: principal.tenant, corpus };
      const limit = pageSize || 50;
      let after = pageToken === '' ? '' : fromPageToken(pageToken, 'string')[0];
      const page: Listed[] = [];
      for (let round = 0; round < roundsMax && page.length <= limit; round++) {
        const ids = await documents.listIds(scope, visibleGroups(principal), after, idPrefix, limit + 1);
        const live = await liveContents(corpus, ids, context);
        const found = await documents.describe(scope, live);
        const accessById = new Map(live.map(({ documentId, access }) => [documentId, access]));
        for (const documentId of ids) {
          const access = accessById.get(documentId);
          const document = found.get(documentId);
          if (document !== undefined && canSee(principal, access)) page.push({ document, access });
        }
        after = ids.at(-1) ?? after;
        if (ids.length <= limit) return toPage(corpus, page, limit);
      }
      // The end was not reached: even a page that came out empty goes on, after the last id that was looked at.
      return page.length > limit ? toPage(corpus, page, limit) : toPage(corpus, page, limit, after);
    },

    async getDocument({ corpus, documentId }, context) {
      const principal = context.principal;
      const absent = () => notFound('document', documentId, ErrorReason.DOCUMENT_NOT_FOUND);
      const [live] = await liveContents(corpus, [documentId], context);
      if (live === undefined) throw absent();
      const document = await documents.find({ tenant: principal.tenant, corpus }, live);
      if (document === undefined) {
        log.warn(
          { corpus, document_id: documentId },
          'the index holds a document whose text is not here: ingest it again',
        );
        throw absent();
      }
      if (!canSee(principal, live.access)) throw absent();
      return { document: toDocument(corpus, document, live.access), text: document.text };
    },

    deleteDocuments: ({ corpus, documentIds }, context) => deleteDocuments.run(corpus, documentIds, context),
  };
}

/** A document with the access list that it has in the index: a rollback brings back an older text, not an older list. */
interface Listed {
  document: StoredDocument;
  access: AccessList | undefined;
}

function toPage(corpus: string, found: readonly Listed[], limit: number, goOnAfter?: string) {
  const page = found.slice(0, limit);
  const after = found.length > limit ? page.at(-1)?.document.documentId : goOnAfter;
  return {
    documents: page.map(({ document, access }) => toDocument(corpus, document, access)),
    nextPageToken: after === undefined ? '' : toPageToken([after]),
  };
}
