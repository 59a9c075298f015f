import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, fromJsonString } from '@bufbuild/protobuf';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexAdminService, TermTableSchema } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Host } from '#kit/host/host.ts';
import { createClient } from '#kit/rpc/client.ts';
import { actAs } from '#kit/rpc/context.ts';
import { findFiles, uploadMessages } from './cli/upload.ts';

const folder = fileURLToPath(new URL('../deployments/sample', import.meta.url));

/** Tenant of the development keys, and so of the sample. */
const tenant = 'demo';

/**
 * Loads the sample knowledge base (corpus "shop") with its terms where the development tenant has no corpus yet. Resolves to the number of
 * documents loaded; 0 where there was nothing to do.
 */
export async function loadSample(host: Host): Promise<number> {
  if (host.signer === undefined) return 0;
  const roles = [Role.READER, Role.EDITOR, Role.OPERATOR];
  const principal = create(PrincipalSchema, { tenant, user: 'sample', groups: ['staff', 'merchant'], roles });
  const options = actAs(await host.signer.sign(principal));
  const retrieval = createClient(RetrievalService, host.local);
  const { corpora } = await retrieval.listCorpora({}, options);
  if (corpora.length > 0) return 0;
  const terms = fromJsonString(TermTableSchema, await readFile(join(folder, 'terms.json'), 'utf8'));
  await createClient(IndexAdminService, host.local).putTerms({ terms }, options);
  const { files } = await findFiles([folder]);
  const indexer = createClient(IndexerService, host.local);
  const { jobId } = await indexer.ingestDocuments(uploadMessages('shop', files), options);
  let last: Job | undefined;
  for await (const { job } of indexer.watchJob({ jobId }, options)) last = job;
  if (last?.state === JobState.FAILED) throw new Error(`the sample could not be loaded: ${last.error}`);
  return last?.state === JobState.SUCCEEDED ? Number(last.progress?.documentCount ?? 0) : 0;
}
