import { useQuery } from '@connectrpc/connect-query';
import { UsageDimension, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Choice } from '../ui/choice.tsx';
import { Empty } from '../ui/empty.tsx';
import { Reply } from '../ui/reply.tsx';
import { dimensions, dimensionValues } from './dimensions.ts';
import { ExportUsage } from './export-usage.tsx';
import { type Measure, measures } from './measures.ts';
import { daysOf, type Range, rangeNames } from './ranges.ts';
import { UsageChart } from './usage-chart.tsx';
import { UsageTable } from './usage-table.tsx';
import { UsageTotals } from './usage-totals.tsx';

/** `/cost/usage/<range>/<dimension>/<measure>`: totals, days and names. */
export function UsageView({ api, parts, roles }: SectionProps) {
  const texts = useOperationTexts().cost.usage;
  const range: Range = rangeNames.find((name) => name === parts[0]) ?? '30';
  const allowed = dimensions.filter((name) => name !== 'tenant' || roles.includes(Role.PLATFORM_ADMINISTRATOR));
  const dimension = allowed.find((name) => name === parts[1]) ?? 'model';
  const measure: Measure = measures.find((name) => name === parts[2]) ?? 'cost';
  const days = daysOf(range, new Date());
  const trend = useQuery(UsageService.method.getUsageTrend, {
    ...days,
    dimension: dimension === 'tenant' ? UsageDimension.MODEL : dimensionValues[dimension],
  });
  const go = (change: { range?: string; dimension?: string; measure?: string }) => {
    const next = { range, dimension, measure, ...change };
    window.location.hash = linkTo('cost', 'usage', next.range, next.dimension, next.measure);
  };
  return (
    <div className="stack">
      <div className="page-actions">
        <Choice
          label={texts.range}
          isLabelHidden
          value={range}
          options={rangeNames.map((value) => ({ value, label: texts.ranges[value] }))}
          onChange={(value) => go({ range: value })}
          testId="usage-range"
        />
        <Choice
          label={texts.by}
          isLabelHidden
          value={dimension}
          options={allowed.map((value) => ({ value, label: texts.dimensions[value] }))}
          onChange={(value) => go({ dimension: value })}
          testId="usage-dimension"
        />
        <Choice
          label={texts.measure}
          isLabelHidden
          value={measure}
          options={measures.map((value) => ({ value, label: texts.measures[value] }))}
          onChange={(value) => go({ measure: value })}
          testId="usage-measure"
        />
        <ExportUsage api={api} days={days} />
      </div>
      <Reply query={trend}>
        {(reply) =>
          reply.totals.length === 0 ? (
            <Empty title={texts.none} text={texts.noneText} />
          ) : (
            <>
              <UsageTotals totals={reply.totals} />
              {dimension !== 'tenant' && (
                <UsageChart trend={reply} days={days} dimension={dimension} measure={measure} />
              )}
              <UsageTable key={dimension} dimension={dimension} days={days} />
            </>
          )
        }
      </Reply>
    </div>
  );
}
