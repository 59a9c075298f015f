import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useInfiniteQuery } from '@connectrpc/connect-query';
import { useMemo } from 'react';
import { IndexerService, type Job } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { type DataColumn, DataTable } from '../ui/data-table.tsx';
import { Empty } from '../ui/empty.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { Reply } from '../ui/reply.tsx';
import { isOpen, JobStateBadge } from './job-state.tsx';

const pageSize = 100;
/** How often jobs are read again while one of them runs, in milliseconds. */
const pollMs = 3000;

/** The jobs of the tenant, the latest first. */
export function JobList() {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const jobs = useInfiniteQuery(
    IndexerService.method.listJobs,
    { pageSize, pageToken: '' },
    {
      pageParamKey: 'pageToken',
      getNextPageParam: (page) => page.nextPageToken || undefined,
      refetchInterval: ({ state }) =>
        state.data?.pages.some((page) => page.jobs.some(({ state: now }) => isOpen(now))) ? pollMs : false,
    },
  );
  const columns = useMemo((): DataColumn<Job>[] => {
    const { columns: names } = texts.jobs;
    return [
      {
        id: 'corpus',
        name: names.corpus,
        width: '2fr',
        isImportant: true,
        cell: ({ corpus, kind }) => (
          <span className="two-lines">
            <span className="strong">{corpus}</span>
            <span className="faint">{texts.jobs.kinds[kind]}</span>
          </span>
        ),
      },
      {
        id: 'state',
        name: names.state,
        width: '1fr',
        isImportant: true,
        cell: ({ state }) => <JobStateBadge state={state} />,
      },
      {
        id: 'changed',
        name: names.changed,
        width: '1fr',
        cell: ({ progress }) => formatCount(progress?.changedCount ?? 0n, tag),
      },
      {
        id: 'failed',
        name: names.failed,
        width: '1fr',
        cell: ({ progress }) => formatCount(progress?.failedCount ?? 0n, tag),
      },
      {
        id: 'created',
        name: names.created,
        width: '1fr',
        cell: ({ createdAt }) => createdAt && formatWhen(timestampDate(createdAt), new Date(), tag),
      },
    ];
  }, [texts, tag]);
  return (
    <>
      <PageHead title={texts.jobs.title} />
      <Reply query={jobs}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.jobs);
          if (items.length === 0) return <Empty title={texts.jobs.none} text={texts.jobs.noneText} />;
          return (
            <DataTable
              label={texts.jobs.title}
              columns={columns}
              items={items}
              idOf={({ jobId }) => jobId}
              nameOf={({ corpus, jobId }) => `${corpus} ${jobId}`}
              hrefOf={({ jobId }) => linkTo('jobs', jobId)}
              onMore={jobs.hasNextPage ? () => jobs.fetchNextPage() : undefined}
              isLoadingMore={jobs.isFetchingNextPage}
              testId="jobs"
            />
          );
        }}
      </Reply>
    </>
  );
}
