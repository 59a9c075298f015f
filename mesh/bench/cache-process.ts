import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { services } from '../run.ts';

// The answer cache in a process of its own, so that what is measured over gRPC is the server and not its load.

/** A request to the process. */
export interface CacheOrder {
  /** Redis for the durable layer; none: the embedded store. */
  redisUrl?: string;
  /** Memory for answers, in bytes. */
  memoryBytes: number;
}

const order = JSON.parse(process.argv[2] ?? '{}') as CacheOrder;
const durableStore = order.redisUrl && {
  durableStore: { adapter: 'redis', settings: { url: order.redisUrl } },
};
const mesh = await startTestMesh(
  services.filter(({ contracts }) => contracts.includes(CacheService)),
  { config: { cache: { memoryBytes: BigInt(order.memoryBytes), durableTimeoutMs: 10_000, ...durableStore } } },
);
const token = await mesh.host.signer?.sign(testPrincipal());
process.send?.({ port: mesh.host.grpcPort, token });
process.once('disconnect', () => void mesh.close().then(() => process.exit(0)));
