import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { useQuery } from '@tanstack/react-query';
import {
  type AdministrativeChange,
  type AuditEntry,
  type AuditService,
  EntryContent,
  type RecordRequest,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { formatCost, formatCount, formatMs, formatTime } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Facts } from '../../ui/facts.tsx';
import { PageHead } from '../../ui/page-head.tsx';
import { PlainTable } from '../../ui/plain-table.tsx';
import { Reply } from '../../ui/reply.tsx';
import { noFilter } from './audit-filter.ts';
import { readEntries } from './entries.ts';
import { titleOf } from './entry-list.tsx';

/** One entry of the audit: what was asked, answered or changed, from which documents, and its place in the chain. */
export function EntryPage({ client, sequence }: { client: Client<typeof AuditService>; sequence: bigint }) {
  const texts = useOperationTexts().administration;
  const query = useQuery({
    queryKey: ['audit-entry', String(sequence)],
    queryFn: ({ signal }) => readEntries(client, noFilter, sequence + 1n, 1, signal),
  });
  return (
    <Reply query={query}>
      {([entry]) =>
        entry === undefined || entry.sequence !== sequence ? (
          <Empty title={texts.audit.none} text={texts.audit.noneText} />
        ) : (
          <Entry entry={entry} />
        )
      }
    </Reply>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const texts = useOperationTexts().administration;
  const { tag } = useMessages();
  const own = texts.audit;
  const { record } = entry;
  return (
    <article className="stack" data-testid="entry">
      <PageHead
        title={titleOf(entry, own)}
        back={{ href: linkTo('administration', 'audit'), label: texts.views.audit }}
        badge={entry.content !== EntryContent.WHOLE && <Badge tone="warning">{own.contents[entry.content]}</Badge>}
      />
      {record?.change === undefined && record !== undefined && <Answer record={record} />}
      {record?.change !== undefined && <Change change={record.change} />}
      <Facts
        facts={[
          [own.columns.what, own.entry(String(entry.sequence))],
          [own.user, entry.user || entry.subject],
          [own.at, entry.recordedAt && formatTime(timestampDate(entry.recordedAt), tag)],
          [own.hash, <Hash key="hash" bytes={entry.hash} />],
          [own.previous, <Hash key="previous" bytes={entry.previousHash} />],
        ]}
      />
    </article>
  );
}

function Hash({ bytes }: { bytes: Uint8Array }) {
  return <code className="hash">{Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}</code>;
}

function Change({ change }: { change: AdministrativeChange }) {
  const texts = useOperationTexts().administration.audit;
  return (
    <>
      {change.reason !== '' && (
        <p>
          {texts.reason}: {change.reason}
        </p>
      )}
      {change.detailJson !== '' && (
        <>
          <h3 className="sub-head">{texts.detail}</h3>
          <pre className="code">{pretty(change.detailJson)}</pre>
        </>
      )}
    </>
  );
}

function Answer({ record }: { record: RecordRequest }) {
  const texts = useOperationTexts().administration.audit;
  const { tag } = useMessages();
  const { usage, evidence, toolCalls } = record;
  const cited = new Set(record.citedMarkers);
  const ms = (us: bigint) => us > 0n && formatMs(Number(us) / 1000);
  return (
    <>
      {record.answer !== '' && <blockquote className="recorded-answer">{record.answer}</blockquote>}
      <Facts
        facts={[
          [texts.standalone, record.standaloneQuestion !== record.question && record.standaloneQuestion],
          [texts.outcome, texts.outcomes[record.outcome]],
          [texts.model, record.model],
          [
            texts.tokens,
            usage && texts.tokenCounts(formatCount(usage.promptTokens, tag), formatCount(usage.completionTokens, tag)),
          ],
          [texts.cost, usage?.costMicros !== undefined && formatCost(usage.costMicros, usage.currency, tag)],
          [texts.cached, usage?.fromCache && '✓'],
          [texts.first, ms(record.firstTextUs)],
          [texts.duration, ms(record.totalUs)],
          [texts.answerId, record.answerId],
          [texts.session, record.sessionId],
          [texts.trace, record.traceId],
        ]}
      />
      {evidence.length > 0 && (
        <>
          <h3 className="sub-head">{texts.sources}</h3>
          <PlainTable columns={[texts.document, texts.version, texts.score, texts.cited]} testId="entry-sources">
            {evidence.map((ref, at) => (
              <tr key={ref.chunkId}>
                <th scope="row">
                  {ref.corpus} / {ref.documentId}
                </th>
                <td>{String(ref.version)}</td>
                <td>{ref.score.toFixed(3)}</td>
                <td>{cited.has(at + 1) && `[${at + 1}]`}</td>
              </tr>
            ))}
          </PlainTable>
        </>
      )}
      {toolCalls.length > 0 && (
        <>
          <h3 className="sub-head">{texts.tools}</h3>
          {toolCalls.map(({ callId, tool, argumentsJson }) => (
            <pre className="code" key={callId}>
              {tool} {pretty(argumentsJson)}
            </pre>
          ))}
        </>
      )}
    </>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), undefined, 2);
  } catch {
    return json;
  }
}
