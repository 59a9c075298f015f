import { type AccessList, Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { DocumentFilter, IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { readMasks } from '#kit/personal-data/read-masks.ts';
import { grantedGroups, visibleGroups } from '#kit/rpc/access.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { IndexerSettings } from '../config.ts';
import { fromPageToken, toDocument, toPageToken } from '../convert.ts';
import { toLanguage } from '../jobs/run/index-client.ts';
import type { DeleteDocuments } from './delete-documents.ts';
import { type DocumentStore, lowerAscii, type StoredDocument } from './document-store.ts';
import { isDay } from './health/dates.ts';
import type { LiveContents } from './live-contents.ts';
import type { Originals } from './originals/originals.ts';

/** Dependencies of the document rpcs. */
export interface DocumentRpcDeps {
  documents: DocumentStore;
  liveContents: LiveContents;
  deleteDocuments: DeleteDocuments;
  originals: Pick<Originals, 'find'>;
  settings: Pick<IndexerSettings, 'keepsOriginals' | 'personalData'>;
  log: Logger;
}

/** Largest number of ids read for one page, as a multiple of its size: contents that are no longer live are skipped. */
const roundsMax = 20;

type Rpcs = Pick<ServiceHandlers<typeof IndexerService>, 'listDocuments' | 'getDocument' | 'deleteDocuments'>;

/**
 * Creates the document rpcs. The index decides which content of a document is live and whether the caller may see it; it is called
 * with the rights of a reader. Documents that a search cannot find are not shown, listed or counted.
 */
export function createDocumentRpcs(deps: DocumentRpcDeps): Rpcs {
  const { documents, liveContents, deleteDocuments, originals, settings, log } = deps;
  return {
    async listDocuments({ corpus, pageSize, pageToken, idPrefix, search, filter }, context) {
      const principal = context.principal;
      const scope = { tenant: principal.tenant, corpus };
      const limit = pageSize || 50;
      let after = pageToken === '' ? '' : fromPageToken(pageToken, 'string')[0];
      const page: Listed[] = [];
      for (let round = 0; round < roundsMax && page.length <= limit; round++) {
        const selection = { after, prefix: idPrefix, search, limit: limit + 1 };
        const ids = await documents.listIds(scope, visibleGroups(principal), selection);
        const live = await liveContents.visible(corpus, ids, context);
        const found = await documents.describe(scope, live);
        const accessById = new Map(live.map(({ documentId, access }) => [documentId, access]));
        for (const documentId of ids) {
          const access = accessById.get(documentId);
          const document = found.get(documentId);
          // An earlier content may have had the words.
          if (document === undefined || !contains(document, search) || !matches({ document, access }, filter)) continue;
          page.push({ document, access });
        }
        after = ids.at(-1) ?? after;
        if (ids.length <= limit) return toPage(corpus, page, limit);
      }
      // The end was not reached: the next page starts after the last id that was read, even if this page is empty.
      return page.length > limit ? toPage(corpus, page, limit) : toPage(corpus, page, limit, after);
    },

    async getDocument({ corpus, documentId }, context) {
      const principal = context.principal;
      const absent = () => notFound('document', documentId, ErrorReason.DOCUMENT_NOT_FOUND);
      const [live] = await liveContents.visible(corpus, [documentId], context);
      if (live === undefined) throw absent();
      const document = await documents.find({ tenant: principal.tenant, corpus }, live);
      if (document === undefined) {
        log.warn(
          { event: 'document_text_missing', corpus, document_id: documentId },
          'document text missing, ingest again',
        );
        throw absent();
      }
      const { tenant } = principal;
      const hasPages =
        settings.keepsOriginals(tenant, corpus) &&
        (await originals.find({ tenant, corpus }, live, context.signal)) !== undefined;
      const { text } = document;
      const masks = readMasks(text, settings.personalData.ofCorpus(tenant, corpus), principal.groups);
      return { document: toDocument(corpus, document, live.access), text, hasPages, masks };
    },

    deleteDocuments: ({ corpus, documentIds }, context) => deleteDocuments.run(corpus, documentIds, context),
  };
}

/** A document with its access list from the index: a rollback restores an older text, but not an older access list. */
interface Listed {
  document: StoredDocument;
  access: AccessList | undefined;
}

function contains({ documentId, title }: StoredDocument, search: string): boolean {
  const wanted = lowerAscii(search);
  return [documentId, title].some((text) => lowerAscii(text).includes(wanted));
}

function matches({ document, access }: Listed, filter: DocumentFilter | undefined): boolean {
  if (filter === undefined) return true;
  const { owner = '', review_at: reviewAt = '' } = document.attributes;
  return (
    (filter.language === Language.UNSPECIFIED || toLanguage(document.language) === filter.language) &&
    (filter.group === '' || grantedGroups(access).includes(filter.group)) &&
    (filter.owner === '' || lowerAscii(owner) === lowerAscii(filter.owner)) &&
    (filter.reviewBy === '' || (isDay(reviewAt) && reviewAt <= filter.reviewBy))
  );
}

function toPage(corpus: string, found: readonly Listed[], limit: number, nextAfter?: string) {
  const page = found.slice(0, limit);
  const after = found.length > limit ? page.at(-1)?.document.documentId : nextAfter;
  return {
    documents: page.map(({ document, access }) => toDocument(corpus, document, access)),
    nextPageToken: after === undefined ? '' : toPageToken([after]),
  };
}
