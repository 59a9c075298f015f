import type { EvaluationRun } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PlainTable } from '../ui/plain-table.tsx';
import { FigureTable } from './figure-table.tsx';

/** Questions that are shown. */
const maxShown = 100;

/** The result of a comparison: figures, their differences, and the questions whose result differs. */
export function Compared({ run }: { run: EvaluationRun }) {
  const texts = useOperationTexts().evaluation;
  const { tag } = useMessages();
  const { compare } = texts;
  const [other] = run.comparisons;
  const before = new Map(other?.questions.map(({ queryId, scores }) => [queryId, scores[0] ?? 0]));
  const differing = run.questions
    .map(({ queryId, text, scores }) => ({ queryId, text, live: scores[0] ?? 0, changed: before.get(queryId) ?? 0 }))
    .filter(({ live, changed }) => live !== changed)
    .toSorted((a, b) => Math.abs(b.live - b.changed) - Math.abs(a.live - a.changed));
  return (
    <section className="stack-small" data-testid="compared" aria-label={compare.gains}>
      <h3 className="sub-head">{compare.gains}</h3>
      {run.failedCount > 0 && (
        <Notice tone="warning" testId="run-failed">
          <p>{compare.failed(formatCount(run.failedCount, tag))}</p>
        </Notice>
      )}
      {run.degradedCount > 0 && (
        <Notice tone="warning" testId="run-degraded">
          <p>{compare.degraded(formatCount(run.degradedCount, tag))}</p>
        </Notice>
      )}
      <FigureTable metrics={run.metrics} {...(other && { others: other.metrics, gains: other.gains })} />
      <h3 className="sub-head">{compare.perQuestion}</h3>
      {differing.length === 0 ? (
        <p className="faint">{compare.same}</p>
      ) : (
        <PlainTable columns={[texts.suites.question, compare.live, texts.figures.other]} testId="differing">
          {differing.slice(0, maxShown).map(({ queryId, text, live, changed }) => (
            <tr key={queryId}>
              <th scope="row" className="wrap">
                {text}
              </th>
              <td>{live.toFixed(3)}</td>
              <td>{changed.toFixed(3)}</td>
            </tr>
          ))}
        </PlainTable>
      )}
    </section>
  );
}
