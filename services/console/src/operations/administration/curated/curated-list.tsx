import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useMemo } from 'react';
import { type CuratedAnswer, CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { formatWhen } from '../../../format.ts';
import { useMessages } from '../../../i18n/index.ts';
import { linkTo } from '../../../state/sections.ts';
import { useOperationTexts } from '../../i18n/index.ts';
import { type DataColumn, DataTable } from '../../ui/data-table.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Reply } from '../../ui/reply.tsx';

/** The curated answers that are given now. */
export function CuratedList() {
  const { administration, curated: texts, documents } = useOperationTexts();
  const { tag } = useMessages();
  const answers = useInfiniteQuery(
    CuratedAnswerService.method.listCuratedAnswers,
    { pageSize: 100, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const columns = useMemo(
    (): DataColumn<CuratedAnswer>[] => [
      {
        id: 'question',
        name: texts.question,
        width: '3fr',
        isImportant: true,
        cell: ({ questions, answer }) => (
          <span className="two-lines">
            <span className="strong">{questions[0]}</span>
            <span className="faint">{answer}</span>
          </span>
        ),
      },
      { id: 'corpus', name: documents.corpus, width: '1fr', cell: ({ corpus }) => corpus },
      { id: 'by', name: texts.changedBy, width: '1fr', cell: ({ changedBy }) => changedBy },
      {
        id: 'at',
        name: texts.changed,
        width: '1fr',
        isImportant: true,
        cell: ({ changedAt }) => changedAt && formatWhen(timestampDate(changedAt), new Date(), tag),
      },
    ],
    [texts, documents, tag],
  );
  return (
    <div className="stack">
      <div className="page-actions">
        <a className="button primary" href={linkTo('administration', 'curated', 'new')} data-testid="new-curated">
          {texts.create}
        </a>
      </div>
      <Reply query={answers}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.answers);
          if (items.length === 0) return <Empty title={texts.none} text={texts.noneText} />;
          return (
            <DataTable
              label={administration.views.curated}
              columns={columns}
              items={items}
              idOf={({ id }) => id}
              nameOf={({ questions }) => questions[0] ?? ''}
              hrefOf={({ id }) => linkTo('administration', 'curated', 'answer', id)}
              onMore={answers.hasNextPage ? () => answers.fetchNextPage() : undefined}
              isLoadingMore={answers.isFetchingNextPage}
              testId="curated-answers"
            />
          );
        }}
      </Reply>
    </div>
  );
}
