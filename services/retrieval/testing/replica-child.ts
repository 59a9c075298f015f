import { createInterface } from 'node:readline';
import { createSqliteThreads } from '../sqlite/threads.ts';
import { openReplica } from './postgres.ts';
import type { ShortDocument } from './retrieval.ts';

// A replica for replicas.live.test.ts to kill. It carries out each change that it reads, and prints a line when it is acknowledged.

/** A change that the replica carries out. */
export type ReplicaChange =
  | { kind: 'build'; corpus: string; buildId: string; documents: ShortDocument[]; removedIds: string[] }
  | { kind: 'rollback'; corpus: string; version: number }
  | { kind: 'purge'; corpus: string; documentIds: string[] };

const [url] = process.argv.slice(2) as [string];
const replica = await openReplica(url, createSqliteThreads(1, false));
process.stdout.write('ready\n');

for await (const line of createInterface({ input: process.stdin })) {
  const change = JSON.parse(line) as ReplicaChange;
  const { corpus } = change;
  switch (change.kind) {
    case 'build': {
      const { buildId, documents, removedIds: documentIds } = change;
      const version = await replica.begin(corpus, buildId);
      const { versions } = await replica.client.listVersions({ corpus });
      // The replica before it may have published the build, and its reply was lost.
      if (!versions.some((known) => known.version === version && known.publishedAt !== undefined)) {
        if (documents.length > 0) await replica.write(corpus, version, documents);
        if (documentIds.length > 0) await replica.client.removeDocuments({ corpus, version, documentIds });
        await replica.publish(corpus, version);
      }
      process.stdout.write(`${version}\n`);
      break;
    }
    case 'rollback':
      await replica.client.rollbackVersion({ corpus, version: BigInt(change.version) });
      process.stdout.write('done\n');
      break;
    case 'purge':
      await replica.client.purgeDocuments({ corpus, documentIds: change.documentIds });
      process.stdout.write('done\n');
      break;
    default:
      change satisfies never;
  }
}
