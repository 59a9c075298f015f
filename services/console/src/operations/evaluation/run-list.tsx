import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import { type EvaluationRun, EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { formatCount, formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';
import { kindName } from './comparison.ts';

/** The last runs of the tenant: by people, nightly, and at gates. */
export function RunList() {
  const texts = useOperationTexts().evaluation;
  const runs = useQuery(EvaluationService.method.listRuns, { pageSize: 20 });
  const { compare } = texts;
  return (
    <section className="stack-small" aria-label={compare.earlier}>
      <h3 className="sub-head">{compare.earlier}</h3>
      <Reply query={runs}>
        {({ runs: all }) =>
          all.length === 0 ? (
            <p className="faint">{compare.noRuns}</p>
          ) : (
            [...Map.groupBy(all, ({ suite }) => kindName(suite, texts))].map(([kind, ofKind]) => (
              <RunTable key={kind} kind={kind} runs={ofKind} />
            ))
          )
        }
      </Reply>
    </section>
  );
}

/** Runs of one suite, which have the same figures. */
function RunTable({ kind, runs }: { kind: string; runs: readonly EvaluationRun[] }) {
  const { compare, suites } = useOperationTexts().evaluation;
  const { tag } = useMessages();
  const figures = (runs[0]?.metrics ?? []).map(({ name }) => name);
  return (
    <>
      <h4 className="sub-head">{kind}</h4>
      <PlainTable columns={[compare.at, compare.set, suites.questions, ...figures]} testId="runs">
        {runs.map(({ runId, dataSet, startedAt, queryCount, metrics }) => (
          <tr key={runId}>
            <th scope="row">{startedAt && formatTime(timestampDate(startedAt), tag)}</th>
            <td>{dataSet}</td>
            <td>{formatCount(queryCount, tag)}</td>
            {metrics.map(({ name, mean }) => (
              <td key={name}>{mean.toFixed(3)}</td>
            ))}
          </tr>
        ))}
      </PlainTable>
    </>
  );
}
