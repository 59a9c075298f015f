import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { GateMode, GateReportSchema, type VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { fromPageToken, toPageToken } from '../convert.ts';
import type { JobChanges } from '../jobs/job-changes.ts';
import type { JobWish } from '../jobs/job-store.ts';
import type { JobWorker } from '../jobs/job-worker.ts';
import { type GateStore, hasTrial, noTrial } from './gate-store.ts';
import { reportOf } from './report.ts';
import { createTrialRpcs, type TrialRpcDeps } from './trial/trial-rpcs.ts';

/** What the gate rpcs need. */
export interface GateRpcDeps extends TrialRpcDeps {
  gates: GateStore;
  /** The gate of corpora without one of their own. */
  defaultMode: GateMode;
  worker: Pick<JobWorker, 'wake'>;
  changes: Pick<JobChanges, 'announce'>;
  clock: () => number;
  /** Called when a held version was decided, or is checked again. */
  decided(): Promise<void>;
}

/** Creates the rpcs of the gate. They see only the jobs of the caller's tenant. */
export function createGateRpcs(deps: GateRpcDeps): ServiceHandlers<typeof VersionGateService> {
  const { jobs, gates, worker, changes, clock } = deps;
  const { endTrial, ...trialRpcs } = createTrialRpcs(deps);
  const release = async (jobId: string, wish: JobWish, { principal }: CallContext) => {
    const job = await jobs.request(principal.tenant, jobId, wish);
    await deps.decided();
    worker.wake();
    changes.announce(jobId);
    return job;
  };
  const decide = async (jobId: string, isApproved: boolean, comment: string, context: CallContext) => {
    const { user } = context.principal;
    const job = await release(jobId, { kind: 'decide', isApproved, user, comment }, context);
    return { report: reportOf(job.gate) };
  };
  const gateOf = async (tenant: string, corpus: string) => {
    const stored = await gates.read({ tenant, corpus });
    return {
      gate: {
        mode: stored?.mode ?? deps.defaultMode,
        dataSets: [...(stored?.dataSets ?? [])],
        trial: stored?.trial ?? noTrial,
      },
      ...(stored && { changedBy: stored.changedBy, changedAt: timestampFromMs(stored.changedAtMs) }),
    };
  };
  return {
    async listHeldVersions({ corpus, pageSize, pageToken }, { principal }) {
      const limit = pageSize || 50;
      const beforeSequence = pageToken === '' ? undefined : fromPageToken(pageToken, 'number')[0];
      const found = await jobs.list({
        tenant: principal.tenant,
        states: [JobState.HELD],
        ...(corpus !== '' && { corpus }),
        ...(beforeSequence !== undefined && { beforeSequence }),
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        versions: page.map((job) => ({
          jobId: job.jobId,
          corpus: job.corpus,
          user: job.user,
          report: reportOf(job.gate) ?? create(GateReportSchema),
        })),
        nextPageToken: found.length > limit && last !== undefined ? toPageToken([last.sequence]) : '',
      };
    },
    approveVersion: ({ jobId, comment }, context) => decide(jobId, true, comment, context),
    async checkVersion({ jobId }, context) {
      await release(jobId, { kind: 'check' }, context);
      return {};
    },
    async rejectVersion({ jobId, comment }, context) {
      const decided = await decide(jobId, false, comment, context);
      // Its worker drops the version when it can; from now on the live one answers all.
      await endTrial(jobId, context);
      return decided;
    },
    ...trialRpcs,
    async putGate({ corpus, gate }, { principal }) {
      const { tenant, user, groups } = principal;
      const { canaryPercent, shadowPercent } = gate?.trial ?? noTrial;
      const trial = { canaryPercent, shadowPercent };
      if (gate?.mode === GateMode.OFF && hasTrial(trial)) {
        throw invalidArgument('trial: is for versions that pass a gate: choose another mode');
      }
      const stored = gate && {
        mode: gate.mode,
        dataSets: gate.dataSets,
        groups,
        trial,
        changedBy: user,
        changedAtMs: clock(),
      };
      await gates.put({ tenant, corpus }, stored);
      return { gate: (await gateOf(tenant, corpus)).gate };
    },
    getGate: ({ corpus }, { principal }) => gateOf(principal.tenant, corpus),
  };
}
