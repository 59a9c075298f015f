import { useEffect, useRef } from 'react';
import { type Job, JobPhase } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { ActionFailure } from '../ui/reply.tsx';
import { isOpen, JobStateBadge } from './job-state.tsx';
import { useJob } from './use-job.ts';

/** Follows a job in a line, while it runs and when it has ended. `onEnd` is called once. */
export function JobProgress({ jobId, onEnd }: { jobId: string; onEnd?: () => void }) {
  const { job, error } = useJob(jobId);
  const hasEnded = job !== undefined && !isOpen(job.state);
  const ended = useRef(onEnd);
  ended.current = onEnd;
  useEffect(() => {
    if (hasEnded) ended.current?.();
  }, [hasEnded]);
  return job === undefined ? <ActionFailure error={error} /> : <JobLine job={job} />;
}

/** The state, phase and counts of a job in a line. */
export function JobLine({ job }: { job: Job }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const { changedCount = 0n, indexedCount = 0n, failedCount = 0n } = job.progress ?? {};
  return (
    <div className="job-line" role="status" data-testid="job-progress" data-state={job.state}>
      <JobStateBadge state={job.state} />
      <span>{texts.jobs.phases[job.phase]}</span>
      {isOpen(job.state) && <progress className="bar" value={shareOf(job)} max={1} aria-label={texts.jobs.progress} />}
      <span className="faint">
        {texts.jobs.counts(formatCount(indexedCount, tag), formatCount(changedCount, tag))}
        {failedCount > 0n && ` · ${texts.jobs.failed(formatCount(failedCount, tag))}`}
      </span>
      <a href={linkTo('jobs', job.jobId)}>{texts.jobs.details}</a>
    </div>
  );
}

/** The share of a job that is done: a third is reading, the rest is indexing. */
export function shareOf({ phase, progress }: Job): number | undefined {
  if (progress === undefined) return undefined;
  const read = progress.totalBytes === 0n ? 1 : Number(progress.readBytes) / Number(progress.totalBytes);
  if (phase === JobPhase.PARSE || phase === JobPhase.UNSPECIFIED) return read / 3;
  const indexed = progress.changedCount === 0n ? 1 : Number(progress.indexedCount) / Number(progress.changedCount);
  return 1 / 3 + (indexed * 2) / 3;
}
