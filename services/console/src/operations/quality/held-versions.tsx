import { useQuery } from '@connectrpc/connect-query';
import type { HeldVersion } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Empty } from '../ui/empty.tsx';
import { Reply } from '../ui/reply.tsx';
import { GateReportView } from './gate-report.tsx';
import { TrialStatus } from './trial-status.tsx';
import { VersionDecision } from './version-decision.tsx';

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
  const { jobId, corpus, user, report } = version;
  return (
    <article className="held" data-testid="held-version">
      <header className="page-head">
        <h3>
          <a href={linkTo('jobs', jobId)}>{corpus}</a> <span className="faint">{texts.quality.by(user)}</span>
        </h3>
        <div className="page-actions">
          <VersionDecision jobId={jobId} corpus={corpus} />
        </div>
      </header>
      {report !== undefined && <GateReportView report={report} />}
      <TrialStatus corpus={corpus} jobId={jobId} />
    </article>
  );
}
