import { createClient } from '@connectrpc/connect';
import { useMemo } from 'react';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import type { SectionProps } from '../../section.ts';
import { Erasures } from './erasures.tsx';
import { ExportUser } from './export-user.tsx';
import { Holds } from './holds.tsx';
import { RetentionFacts } from './retention.tsx';

/** `/administration/privacy`: what is kept and how long, what is held, what was erased, and what is stored of a user. */
export function PrivacyView({ api, roles }: SectionProps) {
  const client = useMemo(() => createClient(PrivacyService, api.transport), [api]);
  const isOperator = roles.includes(Role.OPERATOR);
  return (
    <div className="stack">
      {roles.includes(Role.AUDITOR) && <ExportUser client={client} />}
      {isOperator && <RetentionFacts />}
      {isOperator && <Holds />}
      {isOperator && <Erasures client={client} />}
    </div>
  );
}
