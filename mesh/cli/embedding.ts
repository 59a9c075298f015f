import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { startHost } from '#kit/host/host.ts';
import { createClient } from '#kit/rpc/client.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { ProcessOptions } from '../start/serve.ts';
import type { Embedding } from './cache/calibrate.ts';

/** Starts the embedding service alone, in a temporary data folder, so that it can run beside a server. */
export async function startEmbedding({ known, config, env }: ProcessOptions): Promise<Embedding> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-embedding-'));
  const alone = create(ConfigSchema, {
    dataDir,
    ...(config.embedding && { embedding: config.embedding }),
    grpc: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
  } as MessageInitShape<typeof ConfigSchema>);
  const host = await startHost({
    services: known.filter(({ contracts }) => contracts.includes(EmbeddingService)),
    known,
    config: alone,
    env,
    log: createLogger('warn'),
  });
  const client = createClient(EmbeddingService, host.local);
  const principal = create(PrincipalSchema, { tenant: 'local', user: 'calibration', roles: [Role.READER] });
  const asReader = async (signal?: AbortSignal) =>
    actAs((await host.signer?.sign(principal)) ?? '', signal === undefined ? {} : { signal });
  const close = async () => {
    await host.close();
    rmSync(dataDir, { recursive: true, force: true });
  };
  const { models } = await client.listModels({}, await asReader());
  return {
    model: models[0]?.name ?? '',
    dimensions: models[0]?.dimensions ?? 0,
    async embed(texts, signal) {
      const vectors: Float32Array[] = [];
      const request = { inputs: [...texts], purpose: Purpose.QUERY };
      for await (const reply of client.embed(request, await asReader(signal)))
        vectors.push(...reply.vectors.map(fromVector));
      return vectors;
    },
    [Symbol.asyncDispose]: close,
  };
}
