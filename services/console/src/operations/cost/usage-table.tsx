import { useInfiniteQuery } from '@connectrpc/connect-query';
import { Button } from 'react-aria-components/Button';
import { type NamedUsage, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { formatCost, formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';
import { type Dimension, dimensionValues } from './dimensions.ts';
import type { Days } from './ranges.ts';
import { usageName } from './usage-name.ts';

const paging = {
  pageParamKey: 'pageToken' as const,
  getNextPageParam: (page: { nextPageToken: string }) => page.nextPageToken || undefined,
};

/** The names of a dimension with their usage, the most expensive first. */
export function UsageTable({ dimension, days }: { dimension: Dimension; days: Days }) {
  return dimension === 'tenant' ? <Tenants days={days} /> : <Names dimension={dimension} days={days} />;
}

function Names({ dimension, days }: { dimension: Exclude<Dimension, 'tenant'>; days: Days }) {
  const query = useInfiniteQuery(
    UsageService.method.listUsage,
    { ...days, dimension: dimensionValues[dimension], pageSize: 50, pageToken: '' },
    paging,
  );
  return (
    <Reply query={query}>
      {({ pages }) => (
        <Rows
          dimension={dimension}
          rows={pages.flatMap((page) => page.rows)}
          onMore={query.hasNextPage ? () => query.fetchNextPage() : undefined}
        />
      )}
    </Reply>
  );
}

function Tenants({ days }: { days: Days }) {
  const query = useInfiniteQuery(UsageService.method.listTenantUsage, { ...days, pageSize: 50, pageToken: '' }, paging);
  return (
    <Reply query={query}>
      {({ pages }) => (
        <Rows
          dimension="tenant"
          rows={pages.flatMap((page) => page.rows)}
          onMore={query.hasNextPage ? () => query.fetchNextPage() : undefined}
        />
      )}
    </Reply>
  );
}

interface RowsProps {
  dimension: Dimension;
  rows: readonly NamedUsage[];
  onMore: (() => void) | undefined;
}

function Rows({ dimension, rows, onMore }: RowsProps) {
  const { cost, more } = useOperationTexts();
  const texts = cost.usage;
  const { tag } = useMessages();
  const count = (value: bigint) => formatCount(value, tag);
  return (
    <>
      <PlainTable
        columns={[texts.dimensions[dimension], texts.cost, texts.tokens, texts.calls, texts.answers, texts.saved]}
        testId="usage-table"
      >
        {rows.map(({ name, amounts }) => (
          <tr key={`${name} ${amounts?.currency}`}>
            <th scope="row">{usageName(name, dimension, texts)}</th>
            <td>
              {amounts !== undefined && amounts.currency !== ''
                ? formatCost(amounts.costMicros, amounts.currency, tag)
                : texts.free}
            </td>
            <td>{count((amounts?.promptTokens ?? 0n) + (amounts?.completionTokens ?? 0n))}</td>
            <td>{count(amounts?.callCount ?? 0n)}</td>
            <td>{count(amounts?.answerCount ?? 0n)}</td>
            <td>
              {amounts === undefined || amounts.savedTokens === 0n
                ? '–'
                : amounts.currency === ''
                  ? texts.free
                  : formatCost(amounts.savedMicros, amounts.currency, tag)}
            </td>
          </tr>
        ))}
      </PlainTable>
      {onMore !== undefined && (
        <Button className="button" onPress={onMore}>
          {more}
        </Button>
      )}
    </>
  );
}
