import type { Comparison, EvaluationRun } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import type { EvaluationTexts } from '../i18n/evaluation.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PlainTable } from '../ui/plain-table.tsx';
import { changeName } from './comparison.ts';
import { FigureTable } from './figure-table.tsx';

/** Questions that are shown. */
const maxShown = 100;

/** The result of a comparison: for each change the figures, their differences, and the questions whose result differs. */
export function Compared({ run }: { run: EvaluationRun }) {
  const { compare } = useOperationTexts().evaluation;
  const { tag } = useMessages();
  const { failedCount, degradedCount, comparisons } = run;
  return (
    <div className="stack" data-testid="compared">
      {failedCount > 0 && (
        <Notice tone="warning" testId="run-failed">
          <p>{compare.failed(formatCount(failedCount, tag))}</p>
        </Notice>
      )}
      {degradedCount > 0 && (
        <Notice tone="warning" testId="run-degraded">
          <p>{compare.degraded(formatCount(degradedCount, tag))}</p>
        </Notice>
      )}
      {comparisons.length === 0 && <Alone run={run} />}
      {comparisons.map((comparison) => (
        <Change
          key={comparison.name}
          run={run}
          comparison={comparison}
          {...(comparisons.length > 1 && { name: changeName(comparison.name, compare.changes) })}
        />
      ))}
    </div>
  );
}

/** The figures of a run that is compared with nothing, and the questions that are not right. */
function Alone({ run }: { run: EvaluationRun }) {
  const { compare, suites } = useOperationTexts().evaluation;
  const wrong = run.questions
    .map(({ queryId, text, scores }) => ({ queryId, text, score: scores[0] ?? 0 }))
    .filter(({ score }) => score < 1)
    .toSorted((a, b) => a.score - b.score);
  return (
    <section className="stack-small">
      <FigureTable metrics={run.metrics} />
      <h3 className="sub-head">{compare.notRight}</h3>
      {wrong.length === 0 ? (
        <p className="faint">{compare.allRight}</p>
      ) : (
        <PlainTable columns={[suites.question, run.metrics[0]?.name ?? '']} testId="not-right">
          {wrong.slice(0, maxShown).map(({ queryId, text, score }) => (
            <tr key={queryId}>
              <th scope="row" className="wrap">
                {text}
              </th>
              <td>{score.toFixed(3)}</td>
            </tr>
          ))}
        </PlainTable>
      )}
    </section>
  );
}

/** Returns what the changes of a run are compared with: a version, a model, or what is live. */
function nameOfFirst({ template, model }: EvaluationRun, texts: EvaluationTexts['compare']): string {
  const version = template?.versions[0];
  if (version !== undefined) return texts.versionOf(String(version.version));
  return model === '' ? texts.live : model;
}

interface ChangeProps {
  run: EvaluationRun;
  comparison: Comparison;
  /** Its name, if there are several. */
  name?: string;
}

function Change({ run, comparison, name }: ChangeProps) {
  const { compare, suites, figures } = useOperationTexts().evaluation;
  const changed = new Map(comparison.questions.map(({ queryId, scores }) => [queryId, scores[0] ?? 0]));
  const differing = run.questions
    .map(({ queryId, text, scores }) => ({ queryId, text, live: scores[0] ?? 0, changed: changed.get(queryId) ?? 0 }))
    .filter((question) => question.live !== question.changed)
    .toSorted((a, b) => Math.abs(b.live - b.changed) - Math.abs(a.live - a.changed));
  const first = nameOfFirst(run, compare);
  const gains = compare.gains(first);
  const title = name === undefined ? gains : `${name}: ${gains}`;
  return (
    <section className="stack-small" aria-label={title}>
      <h3 className="sub-head">{title}</h3>
      <FigureTable metrics={run.metrics} others={comparison.metrics} gains={comparison.gains} />
      <h3 className="sub-head">{compare.perQuestion}</h3>
      {differing.length === 0 ? (
        <p className="faint">{compare.same}</p>
      ) : (
        <PlainTable columns={[suites.question, first, figures.other]} testId="differing">
          {differing.slice(0, maxShown).map((question) => (
            <tr key={question.queryId}>
              <th scope="row" className="wrap">
                {question.text}
              </th>
              <td>{question.live.toFixed(3)}</td>
              <td>{question.changed.toFixed(3)}</td>
            </tr>
          ))}
        </PlainTable>
      )}
    </section>
  );
}
