import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { RunEvaluationRequest } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import {
  type EvaluationJob,
  type EvaluationJobService,
  EvaluationJobState,
} from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { failedPrecondition, invalidArgument, notFound, rpcError } from '#kit/base/errors.ts';
import { randomId } from '#kit/base/random-id.ts';
import { sleep } from '#kit/base/streams.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { EvaluationStore } from '../store.ts';
import type { JobRunner, JobRunnerDeps } from './job-runner.ts';
import type { JobStore } from './job-store.ts';

/** Jobs of a page if the request names no number. */
const defaultPageSize = 50;
/** Interval of reading a job that is watched, in milliseconds: it may run in another process. */
const pollMs = 200;
/** Searches of a job: its questions times its ways. */
const maxSearches = 200_000;

/** What the rpcs need. */
export interface JobRpcDeps extends Pick<JobRunnerDeps, 'clock' | 'random' | 'signer'> {
  jobs: JobStore;
  store: EvaluationStore;
  runner: JobRunner;
}

/** Creates the rpcs of jobs. They see only the jobs of the caller's tenant. */
export function createJobRpcs(deps: JobRpcDeps): ServiceHandlers<typeof EvaluationJobService> {
  const { jobs, runner, clock, random } = deps;
  const find = async (tenant: string, jobId: string): Promise<EvaluationJob> => {
    const job = await jobs.find(tenant, jobId);
    if (job === undefined) throw notFound('evaluation job', jobId);
    return job;
  };
  return {
    async startJob({ run }, { principal }) {
      if (run === undefined) throw invalidArgument('run: is missing');
      if (deps.signer === undefined) {
        const message =
          'jobs outlive their caller: set identity.private_key of the evaluation service, or call RunEvaluation';
        throw failedPrecondition(ErrorReason.NOT_IMPLEMENTED, message);
      }
      await checkSize(deps.store, principal.tenant, run);
      const jobId = randomId(random);
      if (!(await jobs.add(jobId, principal, run, clock()))) {
        const message = 'ten evaluation jobs of the tenant wait or run: cancel one, or try again when one has ended';
        throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 30_000 });
      }
      runner.wake();
      return { job: await find(principal.tenant, jobId) };
    },

    async listJobs({ pageSize, pageToken }, { principal: { tenant } }) {
      const before = pageToken === '' ? undefined : Number(pageToken);
      if (before !== undefined && !Number.isSafeInteger(before)) {
        throw invalidArgument('page_token is not from ListJobs: start again without one');
      }
      const size = pageSize || defaultPageSize;
      const found = await jobs.list(tenant, before, size + 1);
      const page = found.slice(0, size);
      return {
        jobs: page.map(({ job }) => job),
        nextPageToken: found.length > size ? String(page.at(-1)?.sequence) : '',
      };
    },

    async *watchJob({ jobId }, { principal: { tenant }, signal }) {
      let last = '';
      for (;;) {
        const job = await find(tenant, jobId);
        const shown = JSON.stringify([job.state, job.progress?.doneCount, job.progress?.totalCount, job.attemptCount]);
        if (shown !== last) yield { job };
        last = shown;
        if (!isOpen(job)) return;
        await sleep(pollMs, signal);
      }
    },

    async cancelJob({ jobId }, { principal: { tenant } }) {
      await find(tenant, jobId);
      await jobs.cancel(tenant, jobId, clock());
      runner.cancel(jobId);
      return { job: await find(tenant, jobId) };
    },
  };
}

/** Throws NOT_FOUND if there is no such data set, and INVALID_ARGUMENT if a run has too many searches. */
async function checkSize(store: EvaluationStore, tenant: string, { dataSet, limit, variants }: RunEvaluationRequest) {
  const queryCount = await store.countQueries(tenant, dataSet);
  if (queryCount === 0) throw notFound('data set', dataSet);
  const searchCount = (limit === 0 ? queryCount : Math.min(limit, queryCount)) * (1 + variants.length);
  if (searchCount > maxSearches) {
    throw invalidArgument(`run: has ${searchCount} searches; a job has at most ${maxSearches}: set limit`);
  }
}

const isOpen = ({ state }: EvaluationJob) =>
  state === EvaluationJobState.QUEUED || state === EvaluationJobState.RUNNING;
