import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { create, fromJsonString } from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexAdminService, TermTableSchema } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Host } from '#kit/host/host.ts';
import { createClient } from '#kit/rpc/client.ts';
import { actAs } from '#kit/rpc/context.ts';
import type { TokenSigner } from '#kit/rpc/identity.ts';
import { findFiles, uploadMessages } from '../cli/upload/upload.ts';

const folder = fileURLToPath(new URL('../../deployments/sample', import.meta.url));
const termsFile = new URL('../../deployments/sample-terms.json', import.meta.url);

/** Tenant of the development keys, and so of the sample. */
const tenant = 'demo';

/** Time for loading the sample, in milliseconds; the job continues after it. */
const timeoutMs = 120_000;

/** What became of the sample. */
export interface SampleResult {
  /** Documents that were loaded now; 0 if the tenant has a corpus already. */
  documentCount: number;
  /** Why it could not be loaded. */
  problem?: string | undefined;
}

/**
 * Loads the sample knowledge base (corpus "shop") with its terms, unless the development tenant has a corpus. A store that does
 * not answer is a problem of the result, not an error: the services run without the sample.
 */
export async function loadSample(host: Host): Promise<SampleResult> {
  if (host.signer === undefined) return { documentCount: 0 };
  try {
    return await load(host, host.signer);
  } catch (error) {
    if (error instanceof ConnectError) return { documentCount: 0, problem: error.rawMessage };
    throw error;
  }
}

async function load(host: Host, signer: TokenSigner): Promise<SampleResult> {
  const roles = [Role.READER, Role.EDITOR, Role.OPERATOR];
  const principal = create(PrincipalSchema, { tenant, user: 'sample', groups: ['staff', 'merchant'], roles });
  const options = actAs(await signer.sign(principal), { signal: AbortSignal.timeout(timeoutMs) });
  const retrieval = createClient(RetrievalService, host.local);
  const { corpora } = await retrieval.listCorpora({}, options);
  if (corpora.length > 0) return { documentCount: 0 };
  const terms = fromJsonString(TermTableSchema, await readFile(termsFile, 'utf8'));
  await createClient(IndexAdminService, host.local).putTerms({ terms }, options);
  const { files } = await findFiles([folder]);
  const indexer = createClient(IndexerService, host.local);
  const { jobId } = await indexer.ingestDocuments(uploadMessages('shop', files), options);
  let last: Job | undefined;
  for await (const { job } of indexer.watchJob({ jobId }, options)) {
    last = job;
    // A job that failed once is tried again in the background; the start does not wait for it.
    if (job?.state === JobState.QUEUED && job.error !== '') {
      return { documentCount: 0, problem: `${job.error} (the indexer tries again)` };
    }
  }
  if (last?.state === JobState.SUCCEEDED) return { documentCount: Number(last.progress?.documentCount ?? 0) };
  return { documentCount: 0, problem: last?.error || 'the job did not end in time' };
}
