import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useMemo } from 'react';
import type { Source } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { type DataColumn, DataTable } from '../ui/data-table.tsx';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';
import { SourceStateBadge } from './source-state.tsx';

/** The sources of the tenant. */
export function SourceList() {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const sources = useInfiniteQuery(
    SourceService.method.listSources,
    { pageSize: 100, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  );
  const columns = useMemo((): DataColumn<Source>[] => {
    const { columns: names } = texts.sources;
    return [
      {
        id: 'name',
        name: names.name,
        width: '2fr',
        isImportant: true,
        cell: ({ settings }) => (
          <span className="two-lines">
            <span className="strong">{settings?.name}</span>
            <span className="faint">
              {settings?.adapter} → {settings?.corpus}
            </span>
          </span>
        ),
      },
      {
        id: 'state',
        name: names.state,
        width: '2fr',
        isImportant: true,
        cell: (source) => <SourceStateBadge source={source} />,
      },
      { id: 'entries', name: names.entries, width: '1fr', cell: ({ entryCount }) => formatCount(entryCount, tag) },
      {
        id: 'next',
        name: names.next,
        width: '1fr',
        cell: ({ nextRunAt }) => nextRunAt && formatWhen(timestampDate(nextRunAt), new Date(), tag),
      },
    ];
  }, [texts, tag]);
  const create = (
    <a className="button primary" href={linkTo('sources', 'new')} data-testid="new-source">
      {texts.sources.create}
    </a>
  );
  return (
    <>
      <PageHead title={texts.sources.title}>{create}</PageHead>
      <Reply query={sources}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.sources);
          if (items.length === 0) {
            return (
              <Empty title={texts.sources.none} text={texts.sources.noneText}>
                {create}
              </Empty>
            );
          }
          return (
            <DataTable
              label={texts.sources.title}
              columns={columns}
              items={items}
              idOf={({ sourceId }) => sourceId}
              nameOf={({ settings, sourceId }) => settings?.name ?? sourceId}
              hrefOf={({ sourceId }) => linkTo('sources', 'source', sourceId)}
              onMore={sources.hasNextPage ? () => sources.fetchNextPage() : undefined}
              isLoadingMore={sources.isFetchingNextPage}
              testId="sources"
            />
          );
        }}
      </Reply>
    </>
  );
}
