import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import { type SourceRun, SourceRunState, SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge, type Tone } from '../ui/badge.tsx';
import { Reply } from '../ui/reply.tsx';

const tones: Record<number, Tone> = {
  [SourceRunState.UNSPECIFIED]: 'plain',
  [SourceRunState.RUNNING]: 'busy',
  [SourceRunState.SUCCEEDED]: 'good',
  [SourceRunState.FAILED]: 'bad',
  [SourceRunState.STOPPED]: 'plain',
};

/** How often runs are read again, in milliseconds: a schedule starts them as well. */
const pollMs = 3000;

/** The last runs of a source. */
export function RunList({ sourceId }: { sourceId: string }) {
  const texts = useOperationTexts();
  const runs = useQuery(SourceService.method.listSourceRuns, { sourceId, pageSize: 50 }, { refetchInterval: pollMs });
  return (
    <section className="runs" aria-label={texts.sources.runs}>
      <h3>{texts.sources.runs}</h3>
      <Reply query={runs}>
        {(reply) =>
          reply.runs.length === 0 ? (
            <p className="faint">{texts.sources.noRuns}</p>
          ) : (
            <div className="scroll">
              <table className="plain-table" data-testid="runs">
                <thead>
                  <tr>
                    {[
                      texts.sources.run,
                      texts.sources.columns.state,
                      texts.sources.counts.listed,
                      texts.sources.counts.changed,
                      texts.sources.counts.removed,
                      texts.sources.counts.held,
                      texts.sources.counts.failed,
                    ].map((name) => (
                      <th key={name} scope="col">
                        {name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {reply.runs.map((run) => (
                    <Run key={run.runId} run={run} />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Reply>
    </section>
  );
}

function Run({ run }: { run: SourceRun }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const counts = [run.listedCount, run.changedCount, run.removedCount, run.heldCount, run.failedCount];
  const [firstJob] = run.jobIds;
  return (
    <>
      <tr>
        <th scope="row">
          {run.startedAt && formatWhen(timestampDate(run.startedAt), new Date(), tag)}
          {run.isDryRun && <Badge tone="plain">{texts.sources.dryRun}</Badge>}
          {firstJob !== undefined && (
            <a className="more" href={linkTo('jobs', firstJob)}>
              {texts.sources.job}
            </a>
          )}
        </th>
        <td>
          <Badge tone={tones[run.state] ?? 'plain'}>{texts.sources.runStates[run.state]}</Badge>
        </td>
        {counts.map((count, at) => (
          <td key={at}>{formatCount(count, tag)}</td>
        ))}
      </tr>
      {run.failures.length > 0 && (
        <tr>
          <td colSpan={7}>
            <ul className="failures">
              {run.failures.map(({ entryId, message }) => (
                <li key={entryId}>
                  <code>{entryId}</code> {message}
                </li>
              ))}
            </ul>
          </td>
        </tr>
      )}
      {run.error !== '' && (
        <tr>
          <td colSpan={7} className="bad-text">
            {run.error}
          </td>
        </tr>
      )}
    </>
  );
}
