import { Button } from 'react-aria-components/Button';
import { Disclosure, DisclosurePanel } from 'react-aria-components/Disclosure';
import { Heading } from 'react-aria-components/Heading';
import { PlainTable } from './plain-table.tsx';

/** A value of each day under one name. */
export interface DaySeries {
  name: string;
  /** In the order of the days. */
  values: readonly number[];
}

interface DayChartProps {
  label: string;
  /** What the first column of the table is called. */
  dayName: string;
  /** What opens the table. */
  tableLabel: string;
  /** YYYY-MM-DD, in order. */
  days: readonly string[];
  series: readonly DaySeries[];
  formatDay: (day: string) => string;
  formatValue: (value: number) => string;
}

const [width, height, gap] = [720, 200, 0.25];

/** Columns of days, each with a part for each name, and the same as a table, which a screen reader reads. */
export function DayChart(props: DayChartProps) {
  const { label, dayName, tableLabel, days, series, formatDay, formatValue } = props;
  const sums = days.map((_, at) => series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0));
  const top = niceTop(Math.max(0, ...sums));
  const step = width / Math.max(1, days.length);
  const last = days.at(-1);
  return (
    <figure className="chart">
      <div className="chart-plot">
        <ol className="chart-scale" aria-hidden="true">
          {[top, top / 2, 0].map((value) => (
            <li key={value}>{formatValue(value)}</li>
          ))}
        </ol>
        <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
          {[0, 0.5, 1].map((share) => (
            <line key={share} className="chart-line" x1={0} x2={width} y1={share * height} y2={share * height} />
          ))}
          {days.map((day, at) => (
            <g key={day}>
              <title>{`${formatDay(day)}: ${formatValue(sums[at] ?? 0)}`}</title>
              <rect className="chart-target" x={at * step} y={0} width={step} height={height} />
              {stack(series, at).map(({ name, from, to, index }) => (
                <rect
                  key={name}
                  className={`chart-part series-${index % 7}`}
                  x={(at + gap / 2) * step}
                  width={step * (1 - gap)}
                  y={height * (1 - to / top)}
                  height={Math.max(0, (height * (to - from)) / top)}
                />
              ))}
            </g>
          ))}
        </svg>
        <div className="chart-days" aria-hidden="true">
          <span>{days[0] !== undefined && formatDay(days[0])}</span>
          <span>{last !== undefined && days.length > 1 && formatDay(last)}</span>
        </div>
      </div>
      <figcaption className="chart-legend">
        {series.map(({ name }, index) => (
          <span key={name}>
            <i className={`chart-key series-${index % 7}`} /> {name}
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

function stack(series: readonly DaySeries[], at: number) {
  let from = 0;
  return series.map(({ name, values }, index) => {
    const part = { name, index, from, to: from + (values[at] ?? 0) };
    from = part.to;
    return part;
  });
}

/** Returns the least round number that is not below a value: 1, 2 or 5 times a power of ten. */
export function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}
