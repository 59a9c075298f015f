import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation } from '@connectrpc/connect-query';
import { type EvaluationJob, EvaluationJobService } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount, formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Confirm } from '../ui/confirm.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { ActionFailure } from '../ui/reply.tsx';
import { Compared } from './compared.tsx';
import { changeName, kindName } from './comparison.ts';
import { isOpen, JobStateBadge } from './job-state.tsx';
import { useEvaluationJob } from './use-evaluation-job.ts';

/** A comparison: how far it is, then its result or why it has none. It runs on when the page is left. */
export function ComparisonPage({ jobId }: { jobId: string }) {
  const texts = useOperationTexts();
  const { job, error } = useEvaluationJob(jobId);
  const cancel = useMutation(EvaluationJobService.method.cancelJob);
  const { tag } = useMessages();
  const { compare } = texts.evaluation;
  if (job === undefined) {
    return error === null ? <p className="waiting">{texts.loading}</p> : <ActionFailure error={error} />;
  }
  const { request, state, createdAt, failure, run } = job;
  const names = request?.variants.map(({ name }) => changeName(name, compare.changes)) ?? [];
  return (
    <div className="stack" data-testid="comparison" data-state={state}>
      <PageHead
        title={[request?.dataSet, kindName(request?.suite ?? SuiteKind.UNSPECIFIED, texts.evaluation), ...names].join(
          ' · ',
        )}
        back={{ href: linkTo('evaluation', 'compare'), label: texts.evaluation.views.compare }}
        badge={<JobStateBadge state={state} />}
      >
        {isOpen(state) && (
          <Confirm
            label={compare.cancel}
            title={compare.cancelTitle}
            action={compare.cancel}
            isDanger
            onConfirm={() => cancel.mutateAsync({ jobId })}
            testId="cancel-comparison"
          >
            <p>{compare.cancelText}</p>
          </Confirm>
        )}
      </PageHead>
      {createdAt !== undefined && (
        <p className="faint">{compare.startedAt(formatTime(timestampDate(createdAt), tag))}</p>
      )}
      {isOpen(state) && <Progress job={job} />}
      {failure !== undefined && (
        <Notice tone="error" title={texts.jobs.why} testId="comparison-failure">
          <p>{failure.message}</p>
        </Notice>
      )}
      {run !== undefined && <Compared run={run} />}
    </div>
  );
}

function Progress({ job: { progress } }: { job: EvaluationJob }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const { doneCount = 0, totalCount = 0 } = progress ?? {};
  const { compare } = texts.evaluation;
  return (
    <>
      <p className="job-bar">
        {totalCount === 0 ? (
          <progress className="bar" aria-label={texts.jobs.progress} />
        ) : (
          <>
            <progress className="bar" max={totalCount} value={doneCount} aria-label={texts.jobs.progress} />
            {compare.running(formatCount(doneCount, tag), formatCount(totalCount, tag))}
          </>
        )}
      </p>
      <p className="faint">{compare.canLeave}</p>
    </>
  );
}
