import { createClient } from '@connectrpc/connect';
import { useMemo } from 'react';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { SectionProps } from '../../section.ts';
import { EntryList } from './entry-list.tsx';
import { EntryPage } from './entry-page.tsx';

/** `/administration/audit[/entry/<sequence> or /answer/<id>]`: who asked and changed what, and whether the record is whole. */
export function AuditView({ api, parts }: SectionProps) {
  const client = useMemo(() => createClient(AuditService, api.transport), [api]);
  const [what, id = ''] = parts;
  if (what === 'entry' && /^\d{1,15}$/.test(id)) return <EntryPage client={client} sequence={BigInt(id)} />;
  const answerId = what === 'answer' ? id : '';
  return <EntryList key={answerId} client={client} answerId={answerId} />;
}
