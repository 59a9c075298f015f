import type { IndexParts } from './versions.ts';

/**
 * Gives every access list that the catalog has changed to the rows of older versions in both stores. Until this
 * resolves no older version may become live: a store would find rows by the lists that they had.
 */
export async function carryOutAccessChanges(
  { catalog, vectors, keywords }: Pick<IndexParts, 'catalog' | 'vectors' | 'keywords'>,
  tenant: string,
): Promise<void> {
  // Each round ends the changes that it listed, and no change begins meanwhile.
  for (;;) {
    const changes = await catalog.access.listChanges(tenant);
    if (changes.length === 0) return;
    for (const listed of changes) {
      const { corpusId, version, documentIds, aclId } = listed;
      const change = { kind: 'access', version, documentIds, aclId } as const;
      await Promise.all([vectors.apply(tenant, corpusId, undefined, change), keywords.apply(tenant, corpusId, change)]);
      await catalog.access.endChange(tenant, listed);
    }
  }
}
