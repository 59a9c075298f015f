import { Suspense } from 'react';
import { Button } from 'react-aria-components/Button';
import { Disclosure, DisclosurePanel } from 'react-aria-components/Disclosure';
import { Heading } from 'react-aria-components/Heading';
import { PlainTable } from '../ui/plain-table.tsx';
import { type DaySeries, seriesClass } from './day-series.ts';
import { DayBars } from './plots.ts';

interface DayChartProps {
  label: string;
  /** What the first column of the table is called. */
  dayName: string;
  /** What opens the table. */
  tableLabel: string;
  /** YYYY-MM-DD, in order. */
  days: readonly string[];
  series: readonly DaySeries[];
  /** Whether there is nothing between two whole numbers. */
  isWhole: boolean;
  formatDay: (day: string) => string;
  formatValue: (value: number) => string;
}

/** Columns of days, each with a part for each name, and the same as a table, which a screen reader reads. */
export function DayChart(props: DayChartProps) {
  const { label, dayName, tableLabel, days, series, isWhole, formatDay, formatValue } = props;
  return (
    <figure className="chart">
      <div className="chart-frame">
        <Suspense fallback={null}>
          <DayBars
            label={label}
            days={days}
            series={series}
            isWhole={isWhole}
            formatDay={formatDay}
            formatValue={formatValue}
          />
        </Suspense>
      </div>
      <figcaption className="chart-legend">
        {series.map(({ name }, index) => (
          <span key={name}>
            <i className={`chart-key ${seriesClass(index)}`} /> {name}
          </span>
        ))}
      </figcaption>
      <Disclosure className="chart-table">
        <Heading level={3}>
          <Button slot="trigger" className="link-button">
            {tableLabel}
          </Button>
        </Heading>
        <DisclosurePanel>
          <PlainTable columns={[dayName, ...series.map(({ name }) => name)]} testId="chart-table">
            {days.map((day, at) => (
              <tr key={day}>
                <th scope="row">{formatDay(day)}</th>
                {series.map(({ name, values }) => (
                  <td key={name}>{formatValue(values[at] ?? 0)}</td>
                ))}
              </tr>
            ))}
          </PlainTable>
        </DisclosurePanel>
      </Disclosure>
    </figure>
  );
}
