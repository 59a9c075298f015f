import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import {
  EvaluationService,
  type EvaluationSuiteState,
  type QuestionChange,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { formatCount, formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Empty } from '../ui/empty.tsx';
import { Facts } from '../ui/facts.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';
import { kindName } from './comparison.ts';
import { FigureTable } from './figure-table.tsx';

/** Suites that run each night: their latest figures, and what became worse. */
export function SuiteList() {
  const texts = useOperationTexts().evaluation.suites;
  const suites = useQuery(EvaluationService.method.listSuites, {});
  return (
    <Reply query={suites}>
      {({ suites: all, schedule }) =>
        all.length === 0 ? (
          <Empty title={texts.none} text={texts.noneText} />
        ) : (
          <div className="stack">
            <p className="faint">{texts.schedule(schedule)}</p>
            {all.map((suite) => (
              <Suite key={suite.dataSet} suite={suite} />
            ))}
          </div>
        )
      }
    </Reply>
  );
}

function Suite({ suite }: { suite: EvaluationSuiteState }) {
  const { evaluation } = useOperationTexts();
  const { suites: texts } = evaluation;
  const { tag } = useMessages();
  const queries = useQueryClient();
  const accept = useMutation(EvaluationService.method.acceptSuite);
  const { dataSet, corpora, latest, report, isWorse, nextRunAt } = suite;
  const time = (at: Parameters<typeof timestampDate>[0] | undefined) => at && formatTime(timestampDate(at), tag);
  const state = latest === undefined ? 'waiting' : isWorse ? 'worse' : 'good';
  return (
    <article className="held stack-small" data-testid="suite" data-state={state}>
      <header className="page-head">
        <h3>
          {dataSet} <Badge tone="plain">{kindName(suite.suite, evaluation)}</Badge>{' '}
          <Badge tone={state === 'worse' ? 'bad' : state === 'good' ? 'good' : 'plain'}>{texts[state]}</Badge>
        </h3>
        {isWorse && (
          <Confirm
            label={texts.accept}
            title={texts.acceptTitle}
            action={texts.accept}
            onConfirm={async () => {
              await accept.mutateAsync({ dataSet });
              await queries.invalidateQueries();
            }}
            testId="accept-suite"
          >
            <p>{texts.acceptText}</p>
          </Confirm>
        )}
      </header>
      <Facts
        facts={[
          [texts.last, time(latest?.startedAt)],
          [texts.next, time(nextRunAt)],
          [texts.baseline, time(report?.baselineAt)],
          [texts.questions, latest && formatCount(latest.queryCount, tag)],
          ['', corpora.length === 0 ? texts.allCorpora : corpora.join(', ')],
        ]}
      />
      {latest !== undefined && <FigureTable metrics={latest.metrics} gains={report?.gains ?? []} />}
      {report !== undefined && (
        <>
          <Changes title={texts.changed} questions={report.questions} testId="changed-questions" />
          <Changes title={texts.flaky} questions={report.flakyQuestions} testId="flaky-questions" />
        </>
      )}
    </article>
  );
}

/** Questions with their results before and now; nothing if there are none. */
function Changes({
  title,
  questions,
  testId,
}: {
  title: string;
  questions: readonly QuestionChange[];
  testId: string;
}) {
  const texts = useOperationTexts().evaluation.suites;
  if (questions.length === 0) return null;
  return (
    <>
      <h4 className="sub-head">{title}</h4>
      <PlainTable columns={[texts.question, texts.before, texts.now]} testId={testId}>
        {questions.map(({ queryId, text, before, now }) => (
          <tr key={queryId}>
            <th scope="row" className="wrap">
              {text}
            </th>
            <td>{before.toFixed(3)}</td>
            <td className={now < before ? 'bad-text' : undefined}>{now.toFixed(3)}</td>
          </tr>
        ))}
      </PlainTable>
    </>
  );
}
