/** Width of a day and height of the drawing. */
const dayWidth = 6;
const height = 24;

/** The questions of the last days as bars. */
export function Trend({ counts, label }: { counts: readonly number[]; label: string }) {
  const most = Math.max(1, ...counts);
  const bars = counts.map((count, day) => ({ day, size: Math.max(1, (count / most) * height) }));
  return (
    <svg
      className="trend"
      role="img"
      aria-label={label}
      width={counts.length * dayWidth}
      height={height}
      viewBox={`0 0 ${counts.length * dayWidth} ${height}`}
    >
      {bars.map(({ day, size }) => (
        <rect key={day} x={day * dayWidth} y={height - size} width={dayWidth - 2} height={size} rx={1} />
      ))}
    </svg>
  );
}
