import { useEffect, useRef, useState } from 'react';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { useOperationTexts } from '../i18n/index.ts';
import { JobLine } from '../jobs/job-progress.tsx';
import { useJob } from '../jobs/use-job.ts';
import { GateReportView } from '../quality/gate-report.tsx';
import { VersionDecision } from '../quality/version-decision.tsx';
import { ActionFailure } from '../ui/reply.tsx';

/** A draft on its way to readers: its job, what the gate found, the decision if its version is held, and that it is live. */
export function Publication({ jobId, onLive }: { jobId: string; onLive: () => void }) {
  const texts = useOperationTexts();
  const [round, setRound] = useState(0);
  const { job, error } = useJob(jobId, round);
  const isLive = job?.state === JobState.SUCCEEDED;
  const report = useRef(onLive);
  report.current = onLive;
  useEffect(() => {
    if (isLive) report.current();
  }, [isLive]);
  if (job === undefined) return <ActionFailure error={error} />;
  return (
    <div className="publication" data-testid="publication">
      <JobLine job={job} />
      {job.error !== '' && (
        <Notice tone="error" title={texts.jobs.why} testId="publication-error">
          <p>{job.error}</p>
        </Notice>
      )}
      {job.gate !== undefined && <GateReportView report={job.gate} />}
      {job.state === JobState.HELD && (
        <Notice
          tone="warning"
          title={texts.inbox.isHeld}
          actions={<VersionDecision jobId={jobId} corpus={job.corpus} onDecided={() => setRound(round + 1)} />}
          testId="publication-held"
        >
          <p>{texts.inbox.isHeldText}</p>
        </Notice>
      )}
      {isLive && (
        <Notice tone="plain" title={texts.inbox.isLive(job.corpus, String(job.version))} testId="publication-live">
          <p>{texts.inbox.isLiveText}</p>
        </Notice>
      )}
    </div>
  );
}
