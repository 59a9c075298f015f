import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { AuditEntry, AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { EntryContent } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { formatWhen } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { linkTo } from '../../../state/sections.ts';
import type { OperationTexts } from '../../i18n/en.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Badge } from '../../ui/badge.tsx';
import { Choice } from '../../ui/choice.tsx';
import { type DataColumn, DataTable } from '../../ui/data-table.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Field } from '../../ui/field.tsx';
import { Reply } from '../../ui/reply.tsx';
import { type AuditFilter, noFilter } from './audit-filter.ts';
import { ChainCheck } from './chain-check.tsx';
import { pageSize, readEntries } from './entries.ts';
import { ExportEntries } from './export-entries.tsx';

interface EntryListProps {
  client: Client<typeof AuditService>;
  /** The answer that is searched for at first; empty: none. */
  answerId: string;
}

/** Entries of the audit, found by user, document, answer and time. */
export function EntryList({ client, answerId }: EntryListProps) {
  const texts = useOperationTexts().administration;
  const { tag } = useMessages();
  const own = texts.audit;
  const [filter, setFilter] = useState<AuditFilter>({ ...noFilter, answerId });
  const set = (change: Partial<AuditFilter>) => setFilter({ ...filter, ...change });
  const entries = useInfiniteQuery({
    queryKey: ['audit', filter],
    initialPageParam: 0n,
    queryFn: ({ pageParam, signal }) => readEntries(client, filter, pageParam, pageSize, signal),
    getNextPageParam: (page) => (page.length < pageSize ? undefined : page.at(-1)?.sequence),
  });
  const columns = useMemo((): DataColumn<AuditEntry>[] => {
    const { columns: names } = own;
    return [
      {
        id: 'what',
        name: names.what,
        width: '3fr',
        isImportant: true,
        cell: (entry) => (
          <span className="two-lines">
            <span className="strong">{titleOf(entry, own)}</span>
            <span className="faint">
              {String(entry.sequence)}
              {entry.record?.model ? ` · ${entry.record.model}` : ''}
            </span>
          </span>
        ),
      },
      {
        id: 'user',
        name: names.user,
        width: '1fr',
        cell: ({ user, subject }) => <span className="clip">{user || subject}</span>,
      },
      {
        id: 'outcome',
        name: names.outcome,
        width: 150,
        cell: ({ record }) =>
          record !== undefined &&
          record.change === undefined && (
            <Badge tone={record.outcome === AnswerOutcome.ANSWERED ? 'good' : 'plain'}>
              {own.outcomes[record.outcome]}
            </Badge>
          ),
      },
      {
        id: 'at',
        name: names.at,
        width: 110,
        isImportant: true,
        cell: ({ recordedAt }) => recordedAt && formatWhen(timestampDate(recordedAt), new Date(), tag),
      },
    ];
  }, [own, tag]);
  return (
    <div className="stack">
      <search className="filters" aria-label={texts.views.audit}>
        <Field label={own.user} value={filter.user} onChange={(user) => set({ user })} testId="audit-user" />
        <Field label={own.document} value={filter.documentId} onChange={(documentId) => set({ documentId })} />
        <Field label={own.answerId} value={filter.answerId} onChange={(answerId) => set({ answerId })} />
        <Field label={texts.from} type="date" value={filter.from} onChange={(from) => set({ from })} />
        <Field label={texts.until} type="date" value={filter.until} onChange={(until) => set({ until })} />
        <Choice
          label={own.kind}
          value={filter.onlyChanges ? 'changes' : 'all'}
          options={[
            { value: 'all', label: own.everything },
            { value: 'changes', label: own.onlyChanges },
          ]}
          onChange={(kind) => set({ onlyChanges: kind === 'changes' })}
          testId="audit-kind"
        />
      </search>
      <div className="page-actions">
        <ChainCheck client={client} />
        <ExportEntries client={client} filter={filter} />
      </div>
      <Reply query={entries}>
        {({ pages }) => {
          const items = pages.flat();
          if (items.length === 0) return <Empty title={own.none} text={own.noneText} />;
          return (
            <DataTable
              label={texts.views.audit}
              columns={columns}
              items={items}
              idOf={({ sequence }) => String(sequence)}
              nameOf={(entry) => titleOf(entry, own)}
              hrefOf={({ sequence }) => linkTo('administration', 'audit', 'entry', String(sequence))}
              onMore={entries.hasNextPage ? () => entries.fetchNextPage() : undefined}
              isLoadingMore={entries.isFetchingNextPage}
              testId="entries"
            />
          );
        }}
      </Reply>
    </div>
  );
}

/** Returns what an entry is about, in a line. */
export function titleOf(entry: AuditEntry, texts: OperationTexts['administration']['audit']): string {
  const { record, content } = entry;
  if (record === undefined) return texts.receipt;
  if (record.change !== undefined) return `${texts.changes[record.change.action]} ${record.change.resource}`;
  return content === EntryContent.WHOLE || record.question !== '' ? record.question : (texts.contents[content] ?? '');
}
