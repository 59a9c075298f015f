import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { formatCount, formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';

/** The last runs of the tenant: by people, nightly, and at gates. */
export function RunList() {
  const texts = useOperationTexts().evaluation;
  const { tag } = useMessages();
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
            <PlainTable
              columns={[
                compare.at,
                compare.set,
                texts.suites.questions,
                ...(all[0]?.metrics ?? []).map(({ name }) => name),
              ]}
              testId="runs"
            >
              {all.map(({ runId, dataSet, startedAt, queryCount, metrics }) => (
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
          )
        }
      </Reply>
    </section>
  );
}
