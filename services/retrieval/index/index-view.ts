import { type CountedCorpus, type Counts, createVisibility, type Visibility } from '../access/visibility.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { CorpusRecord, TenantRecord } from '../catalog/versions.ts';
import { createTerms, noTerms, type Terms } from './terms.ts';

/** A corpus as readers see it. */
export interface CorpusView extends CorpusRecord, CountedCorpus {}

/**
 * A tenant's index at one moment. It never changes: a change of the index makes a new one. A reader takes one view and uses it to the
 * end, so that an answer never mixes versions.
 */
export interface IndexView {
  /** Changes whenever readers may see something else. */
  revision: string;
  revisionNumber: number;
  epoch: string;
  /** The name of the catalog's state that it shows. */
  state: string;
  /** Documents that are being purged: the catalog no longer has them, but a store may still find them. */
  purging: ReadonlySet<string>;
  /** The same with their corpora. */
  purges: TenantRecord['purges'];
  purgeCount: number;
  /** Whether the stores must still follow the catalog: a change is running, or has been interrupted. */
  isUnfinished: boolean;
  /** By name, in order of name. */
  corpora: ReadonlyMap<string, CorpusView>;
  /** The tenant's terms. */
  terms: Terms;
  /** What a principal may see. */
  visibility: Visibility;
}

/** Returns a revision in the form that callers get. */
export function revisionText(epoch: string, revision: number): string {
  return `${epoch}-${revision}`;
}

/** Returns the view of a catalog's record. Reuses the parts of `before` that have not changed. */
export async function loadIndexView(
  catalog: Catalog,
  tenant: string,
  record: TenantRecord,
  before: IndexView | undefined,
): Promise<IndexView> {
  const corpora = await Promise.all(
    record.corpora.map(async (corpus): Promise<CorpusView> => {
      const known = before?.epoch === record.epoch ? before.corpora.get(corpus.name) : undefined;
      const isSame = known !== undefined && known.live === corpus.live && known.revision === corpus.revision;
      const countsByAcl = isSame ? known.countsByAcl : await readCounts(catalog, tenant, corpus, before === undefined);
      return { ...corpus, countsByAcl };
    }),
  );
  return {
    revision: revisionText(record.epoch, record.revision),
    revisionNumber: record.revision,
    epoch: record.epoch,
    state: record.state,
    purging: new Set(record.purges.map(({ documentId }) => documentId)),
    purges: record.purges,
    purgeCount: record.purgeCount,
    isUnfinished: record.purges.length > 0 || record.hasAccessChanges || record.corpora.some((corpus) => !corpus.swept),
    corpora: new Map(corpora.map((corpus) => [corpus.name, corpus])),
    terms: termsOf(record, before),
    visibility: createVisibility(record.acls),
  };
}

// Indexing the terms is expensive, so it is done only when they change.
function termsOf({ terms = noTerms }: TenantRecord, before: IndexView | undefined): Terms {
  const isSame = before !== undefined && JSON.stringify(before.terms.record) === JSON.stringify(terms);
  return isSame ? before.terms : createTerms(terms);
}

async function readCounts(
  catalog: Catalog,
  tenant: string,
  corpus: CorpusRecord,
  isUrgent: boolean,
): Promise<Map<number, Counts>> {
  if (corpus.live === 0) return new Map();
  const counts = await catalog.contents.countByAcl(tenant, corpus.corpusId, corpus.live, isUrgent);
  return new Map(counts.map(({ aclId, documentCount, chunkCount }) => [aclId, { documentCount, chunkCount }]));
}

/** The view of a tenant without any corpus. */
export const emptyIndexView: IndexView = {
  revision: '',
  revisionNumber: 0,
  epoch: '',
  state: '',
  purging: new Set(),
  purges: [],
  purgeCount: 0,
  isUnfinished: false,
  corpora: new Map(),
  terms: createTerms(noTerms),
  visibility: createVisibility([]),
};
