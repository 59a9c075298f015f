import type { Metric } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PlainTable } from '../ui/plain-table.tsx';

interface FigureTableProps {
  metrics: readonly Metric[];
  /** What it is compared with, in order of the metrics. */
  others?: readonly Metric[];
  /** Differences, in order of the metrics. */
  gains?: readonly Metric[];
}

/** Figures with their 95 % intervals, and the differences to another run. */
export function FigureTable({ metrics, others, gains = [] }: FigureTableProps) {
  const texts = useOperationTexts().evaluation;
  const { figures, compare } = texts;
  const columns = [
    figures.figure,
    figures.value,
    ...(others === undefined ? [] : [figures.other]),
    ...(gains.length > 0 ? [figures.difference, compare.significant] : []),
  ];
  return (
    <PlainTable columns={columns} testId="figures">
      {metrics.map((metric, at) => {
        const [other, gain] = [others?.[at], gains[at]];
        const isSignificant = gain !== undefined && (gain.low > 0 || gain.high < 0);
        return (
          <tr key={metric.name}>
            <th scope="row">{metric.name}</th>
            <td>
              {metric.mean.toFixed(3)} <span className="faint">{interval(metric)}</span>
            </td>
            {other !== undefined && (
              <td>
                {other.mean.toFixed(3)} <span className="faint">{interval(other)}</span>
              </td>
            )}
            {gain !== undefined && (
              <>
                <td className={gain.high < 0 ? 'bad-text' : undefined}>
                  {signed(gain.mean)} <span className="faint">{interval(gain)}</span>
                </td>
                <td>{isSignificant ? compare.significant : compare.notSignificant}</td>
              </>
            )}
          </tr>
        );
      })}
    </PlainTable>
  );
}

const interval = ({ low, high }: Metric) => `${low.toFixed(3)} … ${high.toFixed(3)}`;
const signed = (value: number) => `${value > 0 ? '+' : ''}${value.toFixed(3)}`;
