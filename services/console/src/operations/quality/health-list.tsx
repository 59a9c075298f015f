import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { HealthFindingKind, KnowledgeHealthService } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { Empty } from '../ui/empty.tsx';
import { Reply } from '../ui/reply.tsx';

/** What knowledge managers should look at in the documents of a corpus. */
export function HealthList({ corpus }: { corpus: string }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const [kind, setKind] = useState<HealthFindingKind>(HealthFindingKind.UNSPECIFIED);
  const findings = useInfiniteQuery(
    KnowledgeHealthService.method.listHealthFindings,
    { corpus, kind, pageSize: 100, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined, staleTime: 60_000 },
  );
  return (
    <Reply query={findings}>
      {({ pages }) => {
        const [first] = pages;
        const all = pages.flatMap((page) => page.findings);
        const total = first?.counts.reduce((sum, { count }) => sum + count, 0) ?? 0;
        if (total === 0) {
          return (
            <Empty
              title={texts.health.none}
              text={texts.health.noneText(formatCount(first?.documentCount ?? 0n, tag))}
            />
          );
        }
        return (
          <section className="findings" data-testid="health">
            <Choice
              label={texts.health.show}
              value={String(kind)}
              options={[
                { value: '0', label: texts.health.all(formatCount(total, tag)) },
                ...(first?.counts ?? [])
                  .filter(({ count }) => count > 0)
                  .map((entry) => ({
                    value: String(entry.kind),
                    label: `${texts.health.kinds[entry.kind]} (${formatCount(entry.count, tag)})`,
                  })),
              ]}
              onChange={(chosen) => setKind(Number(chosen) as HealthFindingKind)}
            />
            <ul>
              {all.map((finding) => (
                <li
                  key={`${finding.kind} ${finding.evidence.map(({ documentId, text }) => documentId + text).join(' ')}`}
                >
                  <span className="strong">
                    {texts.health.kinds[finding.kind]} {finding.detail !== '' && <code>{finding.detail}</code>}
                  </span>
                  {finding.evidence.map(({ documentId, title, text }) => (
                    <span key={documentId}>
                      <a href={linkTo('documents', corpus, 'document', documentId)}>{title || documentId}</a>
                      {text !== '' && <q className="evidence">{text}</q>}
                    </span>
                  ))}
                </li>
              ))}
            </ul>
            {findings.hasNextPage && (
              <Button className="button" onPress={() => findings.fetchNextPage()}>
                {texts.more}
              </Button>
            )}
          </section>
        );
      }}
    </Reply>
  );
}
