import { Bar, BarChart, type BarShapeProps, Rectangle, XAxis, YAxis } from 'recharts';

/** When a stage ran, in milliseconds from the start of its answer. */
export interface StageSpan {
  startMs: number;
  endMs: number;
  isDegraded: boolean;
  /** A skipped stage has no bar. */
  isSkipped: boolean;
}

/** Height of a line, the same as that of its text. */
const lineHeight = 28;
const noMargin = { top: 0, right: 0, bottom: 0, left: 0 };
const leastWidth = 3;

/** A line for each stage, with its part of the time of the whole answer. The text beside it says the same. */
export function StageBars({ spans, totalMs }: { spans: readonly StageSpan[]; totalMs: number }) {
  return (
    <BarChart<StageSpan>
      data={spans.slice()}
      layout="vertical"
      responsive
      height={spans.length * lineHeight}
      margin={noMargin}
      barSize={8}
      accessibilityLayer={false}
      aria-hidden="true"
      className="waterfall-plot"
    >
      <XAxis type="number" domain={[0, totalMs]} allowDataOverflow hide />
      <YAxis type="category" hide />
      <Bar<StageSpan, [number, number]>
        dataKey={({ startMs, endMs }: StageSpan) => [startMs, endMs]}
        background={{ fill: 'var(--sunken)', radius: 4 }}
        minPointSize={leastWidth}
        shape={StageBar}
        isAnimationActive={false}
      />
    </BarChart>
  );
}

function StageBar(props: BarShapeProps) {
  const { isDegraded, isSkipped } = props.payload as StageSpan;
  if (isSkipped) return null;
  return <Rectangle {...props} radius={2} fill={isDegraded ? 'var(--warn-dot)' : 'var(--accent)'} />;
}
