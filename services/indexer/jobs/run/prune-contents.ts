import type { ContentHistory } from '../../documents/content-history.ts';
import type { ContentKey, CorpusScope } from '../../documents/document-store.ts';
import type { IndexClient } from './index-client.ts';

const contentsMax = 1000;
const roundsMax = 50;
/** Versions that can have been rolled back and dropped between the kept ones. */
const rolledBackMax = 8;

/** Deletes texts that no version needs. It asks the index what its versions hold, because a rollback may have changed that. */
export async function pruneContents(
  scope: CorpusScope,
  index: IndexClient,
  { history, keptVersions }: { history: ContentHistory; keptVersions: number },
): Promise<void> {
  for (let round = 0; round < roundsMax; round++) {
    const retired = await history.listRetired(scope, keptVersions, contentsMax);
    if (retired.length === 0) return;
    const ids = [...new Set(retired.map(({ documentId }) => documentId))];
    const liveHashes = await index.hashes(0n, ids);
    const held = new Set<string>();
    for (const version of await history.listVersions(scope, keptVersions + rolledBackMax)) {
      for (const [documentId, hash] of await index.hashesIfKept(version, ids)) held.add(keyOf(documentId, hash));
    }
    const isLive = ({ documentId, contentHash }: ContentKey) => liveHashes.get(documentId) === contentHash;
    const isHeld = ({ documentId, contentHash }: ContentKey) => held.has(keyOf(documentId, contentHash));
    await history.resolve(scope, {
      dropped: retired.filter((content) => !isLive(content) && !isHeld(content)),
      live: retired.filter(isLive),
      kept: retired.filter((content) => !isLive(content) && isHeld(content)),
    });
  }
}

function keyOf(documentId: string, contentHash: string): string {
  return `${contentHash}/${documentId}`;
}
