import type { Catalog } from '../catalog/catalog.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';

/** What {@link applyAccessChanges} needs. */
export interface AccessChangeDeps {
  catalog: Catalog;
  vectors: VectorStore;
  keywords: KeywordStore;
}

/**
 * Applies every access list that the catalog has changed to the rows of older versions in both stores. No older version may become
 * live before this resolves: a store would find its rows by their old lists.
 */
export async function applyAccessChanges({ catalog, vectors, keywords }: AccessChangeDeps, tenant: string) {
  // Each round ends the changes that it listed, and no change begins meanwhile.
  for (;;) {
    const changes = await catalog.accessChanges.list(tenant);
    if (changes.length === 0) return;
    for (const listed of changes) {
      const { corpusId, version, documentIds, aclId } = listed;
      const change = { kind: 'access', version, documentIds, aclId } as const;
      await Promise.all([vectors.apply(tenant, corpusId, undefined, change), keywords.apply(tenant, corpusId, change)]);
      await catalog.accessChanges.end(tenant, listed);
    }
  }
}
