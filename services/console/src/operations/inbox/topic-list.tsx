import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useMemo, useState } from 'react';
import { InboxService, type Topic, TopicState } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { Trend } from '../charts/trend.tsx';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { Choice } from '../ui/choice.tsx';
import { type DataColumn, DataTable } from '../ui/data-table.tsx';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';

const states = [TopicState.OPEN, TopicState.RESOLVED, TopicState.DISMISSED];

/** Questions that got no good answer, by topic. */
export function TopicList() {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const [state, setState] = useState<TopicState>(TopicState.OPEN);
  const topics = useInfiniteQuery(
    InboxService.method.listTopics,
    { state, pageSize: 100, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const columns = useMemo((): DataColumn<Topic>[] => {
    const { columns: names } = texts.inbox;
    return [
      {
        id: 'question',
        name: names.question,
        width: '4fr',
        isImportant: true,
        cell: ({ question, reasons }) => (
          <span className="two-lines">
            <span className="strong">{question}</span>
            <span className="faint">{reasons.map(({ reason }) => texts.inbox.reasons[reason]).join(' · ')}</span>
          </span>
        ),
      },
      {
        id: 'count',
        name: names.count,
        width: 90,
        isImportant: true,
        cell: ({ questionCount }) => formatCount(questionCount, tag),
      },
      {
        id: 'trend',
        name: names.trend,
        width: 120,
        cell: ({ dailyCounts }) => <Trend counts={dailyCounts} label={texts.inbox.trendOf(dailyCounts.join(', '))} />,
      },
      {
        id: 'assignee',
        name: names.assignee,
        width: '1fr',
        cell: ({ assignee }) => assignee !== '' && <Badge tone="plain">{assignee}</Badge>,
      },
      {
        id: 'last',
        name: names.last,
        width: '1fr',
        cell: ({ lastAskedAt }) => lastAskedAt && formatWhen(timestampDate(lastAskedAt), new Date(), tag),
      },
    ];
  }, [texts, tag]);
  return (
    <>
      <PageHead title={texts.inbox.title}>
        <Choice
          label={texts.inbox.columns.state}
          isLabelHidden
          value={String(state)}
          options={states.map((value) => ({ value: String(value), label: texts.inbox.states[value] ?? '' }))}
          onChange={(chosen) => setState(Number(chosen) as TopicState)}
          testId="topic-state"
        />
      </PageHead>
      <Reply query={topics}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.topics);
          if (items.length === 0) return <Empty title={texts.inbox.none} text={texts.inbox.noneText} />;
          return (
            <DataTable
              label={texts.inbox.title}
              columns={columns}
              items={items}
              idOf={({ topicId }) => topicId}
              nameOf={({ question }) => question}
              hrefOf={({ topicId }) => linkTo('inbox', 'topic', topicId)}
              onMore={topics.hasNextPage ? () => topics.fetchNextPage() : undefined}
              isLoadingMore={topics.isFetchingNextPage}
              testId="topics"
            />
          );
        }}
      </Reply>
    </>
  );
}
