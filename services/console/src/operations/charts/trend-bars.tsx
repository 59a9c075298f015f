import { Bar, BarChart } from 'recharts';

const dayWidth = 6;
/** Of the drawing, and of a day without a question, in pixels. */
const [height, leastHeight] = [24, 1];
const noMargin = { top: 0, right: 0, bottom: 0, left: 0 };

/** Days as bars, without axes: an image in the cell of a table. */
export function TrendBars({ counts, label }: { counts: readonly number[]; label: string }) {
  return (
    <BarChart<number>
      data={counts.slice()}
      width={counts.length * dayWidth}
      height={height}
      margin={noMargin}
      barCategoryGap={1}
      accessibilityLayer={false}
      role="img"
      aria-label={label}
      className="trend"
    >
      <Bar<number, number>
        dataKey={(count: number) => count}
        minPointSize={leastHeight}
        radius={1}
        fill="var(--accent)"
        isAnimationActive={false}
      />
    </BarChart>
  );
}
