import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { HeldVersion } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Confirm } from '../ui/confirm.tsx';
import { Empty } from '../ui/empty.tsx';
import { Field } from '../ui/field.tsx';
import { Reply } from '../ui/reply.tsx';
import { GateReportView } from './gate-report.tsx';
import { TrialStatus } from './trial-status.tsx';

/** Versions that did not pass their gate, and the decision about each. */
export function HeldVersions() {
  const texts = useOperationTexts();
  const held = useQuery(VersionGateService.method.listHeldVersions, { pageSize: 200 });
  return (
    <Reply query={held}>
      {({ versions }) =>
        versions.length === 0 ? (
          <Empty title={texts.quality.noneHeld} text={texts.quality.noneHeldText} />
        ) : (
          versions.map((version) => <Held key={version.jobId} version={version} />)
        )
      }
    </Reply>
  );
}

function Held({ version }: { version: HeldVersion }) {
  const texts = useOperationTexts();
  const queries = useQueryClient();
  const [comment, setComment] = useState('');
  const approve = useMutation(VersionGateService.method.approveVersion);
  const reject = useMutation(VersionGateService.method.rejectVersion);
  const { jobId, corpus, user, report } = version;
  const reason = <Field label={texts.quality.comment} value={comment} onChange={setComment} />;
  return (
    <article className="held" data-testid="held-version">
      <header className="page-head">
        <h3>
          <a href={linkTo('jobs', jobId)}>{corpus}</a> <span className="faint">{texts.quality.by(user)}</span>
        </h3>
        <div className="page-actions">
          <Confirm
            label={texts.quality.approve}
            title={texts.quality.approveTitle(corpus)}
            action={texts.quality.approve}
            onConfirm={async () => {
              await approve.mutateAsync({ jobId, comment });
              await queries.invalidateQueries();
            }}
            testId="approve-version"
          >
            <p>{texts.quality.approveText}</p>
            {reason}
          </Confirm>
          <Confirm
            label={texts.quality.reject}
            title={texts.quality.rejectTitle(corpus)}
            action={texts.quality.reject}
            isDanger
            onConfirm={async () => {
              await reject.mutateAsync({ jobId, comment });
              await queries.invalidateQueries();
            }}
            testId="reject-version"
          >
            <p>{texts.quality.rejectText}</p>
            {reason}
          </Confirm>
        </div>
      </header>
      {report !== undefined && <GateReportView report={report} />}
      <TrialStatus corpus={corpus} jobId={jobId} />
    </article>
  );
}
