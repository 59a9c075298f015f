import type { GetUsageTrendResponse, UsagePoint } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { formatCost, formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { DayChart } from '../charts/day-chart.tsx';
import { useOperationTexts } from '../i18n/index.ts';
import type { Dimension } from './dimensions.ts';
import { amountOf, type Measure } from './measures.ts';
import { type Days, listDays } from './ranges.ts';
import { usageName } from './usage-name.ts';

interface UsageChartProps {
  trend: GetUsageTrendResponse;
  days: Days;
  dimension: Dimension;
  measure: Measure;
}

/** The days of a range, by name. Money is that of the currency with the highest cost: amounts of different currencies do not add up. */
export function UsageChart({ trend, days, dimension, measure }: UsageChartProps) {
  const texts = useOperationTexts().cost.usage;
  const { tag } = useMessages();
  const [main] = trend.totals.toSorted((a, b) => Number(b.costMicros - a.costMicros));
  const currency = main?.currency ?? '';
  const isMoney = measure === 'cost';
  const shown = trend.points.filter(({ amounts }) => !isMoney || amounts?.currency === currency);
  const all = listDays(days);
  const seriesOf = (name: string, points: readonly UsagePoint[]) => {
    const byDay = new Map<string, number>();
    for (const { day, amounts } of points) byDay.set(day, (byDay.get(day) ?? 0) + amountOf(amounts, measure));
    return { name, values: all.map((day) => byDay.get(day) ?? 0) };
  };
  const rest = shown.filter(({ isRest }) => isRest);
  const series = [
    ...trend.names.map((name) =>
      seriesOf(
        usageName(name, dimension, texts),
        shown.filter((point) => !point.isRest && point.name === name),
      ),
    ),
    ...(rest.length > 0 ? [seriesOf(texts.rest, rest)] : []),
  ];
  const date = new Intl.DateTimeFormat(tag, { month: 'short', day: 'numeric', timeZone: 'UTC' });
  return (
    <DayChart
      label={texts.byDay(texts.measures[measure])}
      dayName={texts.day}
      tableLabel={texts.table}
      days={all}
      series={series}
      isWhole={!isMoney}
      formatDay={(day) => date.format(new Date(day))}
      formatValue={(value) =>
        isMoney ? formatCost(BigInt(Math.round(value * 1e6)), currency, tag) : formatCount(Math.round(value), tag)
      }
    />
  );
}
