import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery, useMutation } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { GateReportView } from '../quality/gate-report.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Facts } from '../ui/facts.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';
import { shareOf } from './job-progress.tsx';
import { isOpen, JobStateBadge } from './job-state.tsx';
import { useJob } from './use-job.ts';

const pageSize = 100;

/** A job: its progress, what failed and why, what was left out, and its gate. */
export function JobPage({ jobId }: { jobId: string }) {
  const texts = useOperationTexts();
  const [round, setRound] = useState(0);
  const { job, error } = useJob(jobId, round);
  const again = { onSuccess: () => setRound((before) => before + 1) };
  const retry = useMutation(IndexerService.method.retryJob, again);
  const cancel = useMutation(IndexerService.method.cancelJob, again);
  if (job === undefined) {
    return error === null ? <p className="waiting">{texts.loading}</p> : <ActionFailure error={error} />;
  }
  const canCancel = isOpen(job.state);
  return (
    <>
      <PageHead
        title={job.corpus}
        back={{ href: linkTo('jobs'), label: texts.jobs.title }}
        badge={<JobStateBadge state={job.state} />}
      >
        {job.state === JobState.FAILED && (
          <Button
            className="button primary"
            isDisabled={retry.isPending}
            onPress={() => retry.mutate({ jobId })}
            data-testid="retry-job"
          >
            {texts.jobs.retry}
          </Button>
        )}
        {canCancel && (
          <Confirm
            label={texts.jobs.cancel}
            title={texts.jobs.cancelTitle}
            action={texts.jobs.cancel}
            isDanger
            onConfirm={() => cancel.mutateAsync({ jobId })}
            testId="cancel-job"
          >
            <p>{texts.jobs.cancelText}</p>
          </Confirm>
        )}
      </PageHead>
      <ActionFailure error={retry.error} />
      {job.error !== '' && (
        <Notice tone="error" title={texts.jobs.why} testId="job-error">
          <p>{job.error}</p>
        </Notice>
      )}
      {canCancel && (
        <p className="job-bar">
          <progress className="bar" value={shareOf(job)} max={1} aria-label={texts.jobs.progress} />
          {texts.jobs.phases[job.phase]}
        </p>
      )}
      <Counts job={job} />
      {job.gate !== undefined && <GateReportView report={job.gate} />}
      <Failures key={`failures ${job.state}`} jobId={jobId} />
      <Notes key={`notes ${job.state}`} jobId={jobId} />
    </>
  );
}

function Counts({ job }: { job: Job }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const { progress } = job;
  const count = (value: bigint | undefined) => formatCount(value ?? 0n, tag);
  const time = (at: Job['createdAt']) =>
    at && new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'medium' }).format(timestampDate(at));
  const { facts: names } = texts.jobs;
  return (
    <Facts
      facts={[
        [names.documents, count(progress?.documentCount)],
        [names.changed, count(progress?.changedCount)],
        [names.indexed, count(progress?.indexedCount)],
        [names.unchanged, count(progress?.unchangedCount)],
        [names.removed, count(progress?.removedCount)],
        [names.failed, count(progress?.failedCount)],
        [names.chunks, count(progress?.chunkCount)],
        [names.version, job.version > 0n && String(job.version)],
        [names.attempts, String(job.attemptCount)],
        [names.created, time(job.createdAt)],
        [names.updated, time(job.updatedAt)],
      ]}
    />
  );
}

function Failures({ jobId }: { jobId: string }) {
  const texts = useOperationTexts();
  const failures = useInfiniteQuery(
    IndexerService.method.listFailures,
    { jobId, pageSize, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  return (
    <Reply query={failures}>
      {({ pages }) => {
        const all = pages.flatMap((page) => page.failures);
        if (all.length === 0) return null;
        return (
          <section className="findings" data-testid="failures">
            <h3>{texts.jobs.failures}</h3>
            <ul>
              {all.map(({ path, line, reason, message }) => (
                <li key={`${path} ${line}`}>
                  <span className="strong">{line > 0n ? `${path}:${line}` : path}</span>
                  <span>{message}</span>
                  <code className="faint">{reason}</code>
                </li>
              ))}
            </ul>
            {failures.hasNextPage && (
              <Button className="button" onPress={() => failures.fetchNextPage()}>
                {texts.more}
              </Button>
            )}
          </section>
        );
      }}
    </Reply>
  );
}

function Notes({ jobId }: { jobId: string }) {
  const texts = useOperationTexts();
  const notes = useInfiniteQuery(
    IndexerService.method.listNotes,
    { jobId, pageSize, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  return (
    <Reply query={notes}>
      {({ pages }) => {
        const all = pages.flatMap((page) => page.notes);
        if (all.length === 0) return null;
        return (
          <section className="findings" data-testid="notes">
            <h3>{texts.jobs.notes}</h3>
            <ul>
              {all.map(({ path, line, kind, message }) => (
                <li key={`${path} ${line} ${kind}`}>
                  <span className="strong">{line > 0n ? `${path}:${line}` : path}</span>
                  <span>{message}</span>
                </li>
              ))}
            </ul>
            {notes.hasNextPage && (
              <Button className="button" onPress={() => notes.fetchNextPage()}>
                {texts.more}
              </Button>
            )}
          </section>
        );
      }}
    </Reply>
  );
}
