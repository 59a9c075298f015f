import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { failedPrecondition, hasReason } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { AnswerDeps } from '../../documents/answers.ts';
import type { JobRecord, JobStore } from '../../jobs/job-store.ts';
import type { Caller } from '../../jobs/run/caller.ts';
import { noTrial } from '../gate-store.ts';
import { reportOf } from '../report.ts';
import { readTrialAnswers, type TrialAnswers, type VersionAnswers } from './trial-answers.ts';

/** What the rpcs of trials need. */
export interface TrialRpcDeps extends AnswerDeps {
  jobs: JobStore;
  indexWriter: Pick<Client<typeof IndexWriterService>, 'putTrial' | 'getTrial'>;
  caller: Caller;
  log: Logger;
}

type TrialRpcs = Pick<ServiceHandlers<typeof VersionGateService>, 'putTrial' | 'getTrial'>;

/** Creates the rpcs of trials. `endTrial` ends the trial of a job's version, if it is on trial; never rejects. */
export function createTrialRpcs(
  deps: TrialRpcDeps,
): TrialRpcs & { endTrial(jobId: string, context: CallContext): Promise<void> } {
  const { jobs, indexWriter, caller, log } = deps;
  const heldOf = async (tenant: string, corpus: string): Promise<JobRecord | undefined> => {
    const [held] = await jobs.list({ tenant, corpus, states: [JobState.HELD], limit: 1 });
    return held;
  };
  return {
    async putTrial({ corpus, shares }, { principal, signal }) {
      const held = await heldOf(principal.tenant, corpus);
      const version = reportOf(held?.gate ?? '')?.version;
      if (version === undefined) {
        const message = `no version of "${corpus}" is held: PutGate with a trial holds those that pass`;
        throw failedPrecondition(ErrorReason.JOB_STATE, message);
      }
      const { canaryPercent, shadowPercent } = shares ?? noTrial;
      const request = { corpus, version, canaryPercent, shadowPercent };
      await indexWriter.putTrial(request, await caller.asService(principal, signal));
      return { version };
    },
    async getTrial({ corpus }, { principal, signal }) {
      const { trial } = await indexWriter
        .getTrial({ corpus }, await caller.asService(principal, signal))
        .catch((error: unknown) => {
          if (hasReason(error, ErrorReason.CORPUS_NOT_FOUND)) return { trial: undefined };
          throw error;
        });
      if (trial?.startedAt === undefined) return {};
      const { version, liveVersion, canaryPercent, shadowPercent, startedAt, shadow } = trial;
      const held = await heldOf(principal.tenant, corpus);
      const of = { corpus, version, startedMs: timestampMs(startedAt) };
      const answers = await answersOf(deps, of, principal, signal);
      return {
        trial: {
          ...{ jobId: held?.jobId ?? '', version, liveVersion, startedAt, shares: { canaryPercent, shadowPercent } },
          ...(shadow && { searches: shadow }),
          ...(answers === undefined
            ? { lacksAnswers: true }
            : {
                ...{ live: toMessage(answers.live), candidate: toMessage(answers.candidate) },
                isPartial: answers.isPartial,
              }),
        },
      };
    },
    async endTrial(jobId, { principal, signal }) {
      try {
        const [job] = await jobs.list({ tenant: principal.tenant, jobId, limit: 1 });
        const version = reportOf(job?.gate ?? '')?.version;
        if (job === undefined || version === undefined) return;
        const options = await caller.asService(principal, signal);
        const { trial } = await indexWriter.getTrial({ corpus: job.corpus }, options);
        if (trial?.version !== version) return;
        await indexWriter.putTrial({ corpus: job.corpus, version }, await caller.asService(principal, signal));
      } catch (error) {
        log.warn({ event: 'trial_not_ended', job_id: jobId, err: error }, 'trial ends with its version');
      }
    },
  };
}

/** Returns the answers of a trial; `undefined` if the services that know of them cannot be reached, which takes nothing from the rest. */
async function answersOf(
  deps: TrialRpcDeps,
  trial: Parameters<typeof readTrialAnswers>[1],
  principal: CallContext['principal'],
  signal: AbortSignal,
): Promise<TrialAnswers | undefined> {
  try {
    return await readTrialAnswers(deps, trial, () => deps.caller.asAuditor(principal, signal));
  } catch (error) {
    signal.throwIfAborted();
    deps.log.warn({ event: 'trial_answers_unknown', corpus: trial.corpus, err: error }, 'answers of a trial unknown');
    return undefined;
  }
}

function toMessage({ answers, refused, other, up, down }: VersionAnswers) {
  return {
    ...{ answerCount: BigInt(answers), refusedCount: BigInt(refused), otherCount: BigInt(other) },
    ...{ upCount: BigInt(up), downCount: BigInt(down) },
  };
}
