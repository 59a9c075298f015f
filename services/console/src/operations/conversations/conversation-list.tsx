import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useMemo, useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import { type Conversation, ConversationDeskService } from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { type DataColumn, DataTable } from '../ui/data-table.tsx';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';
import { SearchBox } from '../ui/search-box.tsx';
import { HandoverBadge } from './handover-badge.tsx';

/** How often the queue is read again, in milliseconds. */
const queuePollMs = 5000;

/** Sessions of all users, or those that wait for a person or are with one. */
export function ConversationList({ isQueue }: { isQueue: boolean }) {
  const texts = useOperationTexts();
  const [search, setSearch] = useState('');
  const [rated, setRated] = useState<'all' | 'down'>('all');
  const handoverStates = isQueue ? [HandoverState.WAITING, HandoverState.WITH_PERSON] : [];
  const sessions = useInfiniteQuery(
    ConversationDeskService.method.listConversations,
    { search, handoverStates, onlyRatedDown: rated === 'down', pageSize: 500, pageToken: '' },
    {
      pageParamKey: 'pageToken',
      getNextPageParam: (page) => page.nextPageToken || undefined,
      ...(isQueue && { refetchInterval: queuePollMs }),
    },
  );
  return (
    <>
      <PageHead title={texts.conversations.title}>
        <SearchBox label={texts.conversations.search} onSearch={setSearch} testId="conversation-search" />
        <Choice
          label={texts.conversations.rating}
          isLabelHidden
          value={rated}
          options={(['all', 'down'] as const).map((value) => ({ value, label: texts.conversations.ratings[value] }))}
          onChange={setRated}
          testId="conversation-rating"
        />
      </PageHead>
      <Tabs
        className="tabs conversation-tabs"
        selectedKey={isQueue ? 'queue' : 'all'}
        onSelectionChange={(key) => {
          window.location.hash = key === 'queue' ? linkTo('conversations', 'queue') : linkTo('conversations');
        }}
      >
        <TabList className="tab-list" aria-label={texts.conversations.title}>
          {(['all', 'queue'] as const).map((view) => (
            <Tab key={view} id={view} className="tab" data-testid={`tab-${view}`}>
              {texts.conversations.views[view]}
            </Tab>
          ))}
        </TabList>
        <TabPanel id={isQueue ? 'queue' : 'all'} className="tab-panel conversation-panel">
          <Reply query={sessions}>
            {({ pages }) => (
              <Sessions
                items={pages.flatMap((page) => page.conversations)}
                isQueue={isQueue}
                onMore={sessions.hasNextPage ? () => sessions.fetchNextPage() : undefined}
                isLoadingMore={sessions.isFetchingNextPage}
              />
            )}
          </Reply>
        </TabPanel>
      </Tabs>
    </>
  );
}

interface SessionsProps {
  items: readonly Conversation[];
  isQueue: boolean;
  onMore: (() => void) | undefined;
  isLoadingMore: boolean;
}

function Sessions({ items, isQueue, onMore, isLoadingMore }: SessionsProps) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const columns = useMemo((): DataColumn<Conversation>[] => {
    const { columns: names } = texts.conversations;
    return [
      {
        id: 'title',
        name: names.title,
        width: '4fr',
        isImportant: true,
        cell: ({ session, user }) => (
          <span className="two-lines">
            <span className="strong">{session?.title}</span>
            <span className="faint">{user}</span>
          </span>
        ),
      },
      { id: 'turns', name: names.turns, width: 80, cell: ({ session }) => formatCount(session?.turnCount ?? 0, tag) },
      {
        id: 'handover',
        name: names.handover,
        width: 150,
        isImportant: true,
        cell: ({ handoverState }) => <HandoverBadge state={handoverState} />,
      },
      {
        id: 'last',
        name: names.last,
        width: '1fr',
        cell: ({ session }) => session?.updatedAt && formatWhen(timestampDate(session.updatedAt), new Date(), tag),
      },
    ];
  }, [texts, tag]);
  if (items.length === 0 && onMore === undefined) {
    return (
      <Empty
        title={isQueue ? texts.conversations.noneWait : texts.conversations.none}
        text={isQueue ? texts.conversations.noneWaitText : texts.conversations.noneText}
      />
    );
  }
  return (
    <DataTable
      label={texts.conversations.title}
      columns={columns}
      items={items}
      idOf={({ session }) => session?.sessionId ?? ''}
      nameOf={({ session }) => session?.title ?? ''}
      hrefOf={({ session }) => linkTo('conversations', 'session', session?.sessionId ?? '')}
      onMore={onMore}
      isLoadingMore={isLoadingMore}
      testId="conversations"
    />
  );
}
