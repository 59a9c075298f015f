import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { cache } from '../index.ts';
import { type Asked, ask } from './asking.ts';

// A replica of the cache with its callers, in a process of its own that a test can kill.

/** What the process receives. */
export interface ReplicaOrder {
  question: string;
  callerCount: number;
  answer: string;
  pauseMs: number;
}

/** What the process reports. */
export type ReplicaReport =
  | { kind: 'ready' }
  | { kind: 'generating' }
  | { kind: 'piece'; count: number }
  | { kind: 'asked'; asked: Asked[] };

const say = (report: ReplicaReport) => process.send?.(report);
const [url = '', keyPrefix = ''] = process.argv.slice(2);
const durableStore = { adapter: 'redis', settings: { url, key_prefix: keyPrefix } };
const mesh = await startTestMesh([cache], { config: { cache: { durableStore, durableTimeoutMs: 5000 } } });
const client = mesh.client(CacheService);

process.on('message', async ({ question, callerCount, answer, pauseMs }: ReplicaOrder) => {
  const options = await mesh.as();
  const generating = {
    ...{ answer, pauseMs },
    onBegin: () => say({ kind: 'generating' }),
    onPiece: (count: number) => say({ kind: 'piece', count }),
  };
  const asking = Array.from({ length: callerCount }, () => ask(client, options, question, generating));
  say({ kind: 'asked', asked: await Promise.all(asking) });
});
process.once('disconnect', () => void mesh.close().then(() => process.exit(0)));
say({ kind: 'ready' });
