import { Bar, BarChart, CartesianGrid, Tooltip, XAxis, YAxis } from 'recharts';
import { type DaySeries, seriesClass } from './day-series.ts';

interface DayBarsProps {
  label: string;
  /** YYYY-MM-DD, in order. */
  days: readonly string[];
  series: readonly DaySeries[];
  /** Whether there is nothing between two whole numbers. */
  isWhole: boolean;
  formatDay: (day: string) => string;
  formatValue: (value: number) => string;
}

interface DayRow {
  day: string;
  values: readonly number[];
}

const tick = { fill: 'var(--ink-3)', fontSize: 12 };

/** Columns of days, each with a part for each name. The arrow keys go from day to day, and each is read aloud. */
export function DayBars({ label, days, series, isWhole, formatDay, formatValue }: DayBarsProps) {
  const rows: DayRow[] = days.map((day, at) => ({ day, values: series.map(({ values }) => values[at] ?? 0) }));
  return (
    <BarChart<DayRow>
      data={rows}
      responsive
      className="chart-plot"
      barCategoryGap="15%"
      maxBarSize={64}
      aria-label={label}
    >
      <CartesianGrid vertical={false} stroke="var(--line)" />
      <XAxis
        dataKey={({ day }: DayRow) => day}
        tickFormatter={formatDay}
        tick={tick}
        tickLine={false}
        stroke="var(--line-strong)"
        interval="equidistantPreserveStart"
        minTickGap={24}
      />
      <YAxis
        tickFormatter={formatValue}
        tick={tick}
        tickLine={false}
        axisLine={false}
        allowDecimals={!isWhole}
        width="auto"
      />
      <Tooltip
        isAnimationActive={false}
        cursor={{ fill: 'var(--sunken)' }}
        content={({ active, label: day, payload }) =>
          active &&
          typeof day === 'string' && (
            <DayParts
              name={formatDay(day)}
              series={series}
              values={(payload[0]?.payload as DayRow | undefined)?.values ?? []}
              formatValue={formatValue}
            />
          )
        }
      />
      {series.map(({ name }, index) => (
        <Bar<DayRow, number>
          key={name}
          name={name}
          dataKey={({ values }: DayRow) => values[index] ?? 0}
          stackId="day"
          className={`chart-part ${seriesClass(index)}`}
          isAnimationActive={false}
        />
      ))}
    </BarChart>
  );
}

interface DayPartsProps {
  name: string;
  series: readonly DaySeries[];
  values: readonly number[];
  formatValue: (value: number) => string;
}

/** What one day is made of, without the names that have nothing on it. */
function DayParts({ name, series, values, formatValue }: DayPartsProps) {
  return (
    <div className="chart-tip" role="status" data-testid="chart-tip">
      <p className="strong">{`${name}: ${formatValue(values.reduce((sum, value) => sum + value, 0))}`}</p>
      {series.map(
        (part, index) =>
          (values[index] ?? 0) > 0 && (
            <p key={part.name}>
              <i className={`chart-key ${seriesClass(index)}`} /> {`${part.name}: ${formatValue(values[index] ?? 0)}`}
            </p>
          ),
      )}
    </div>
  );
}
