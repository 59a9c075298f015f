import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import { type EvaluationJob, EvaluationJobService } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { formatCount, formatTime } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PlainTable } from '../ui/plain-table.tsx';
import { Reply } from '../ui/reply.tsx';
import { changeName, kindName } from './comparison.ts';
import { isOpen, JobStateBadge } from './job-state.tsx';

/** How often jobs are read again while one of them runs, in milliseconds. */
const pollMs = 3000;

/** The last comparisons of the tenant, the latest first; nothing before the first one. */
export function ComparisonList() {
  const texts = useOperationTexts().evaluation.compare;
  const jobs = useQuery(
    EvaluationJobService.method.listJobs,
    { pageSize: 20 },
    { refetchInterval: ({ state }) => (state.data?.jobs.some((job) => isOpen(job.state)) ? pollMs : false) },
  );
  return (
    <Reply query={jobs}>
      {({ jobs: all }) =>
        all.length > 0 && (
          <section className="stack-small" aria-label={texts.jobs}>
            <h3 className="sub-head">{texts.jobs}</h3>
            <PlainTable
              columns={[texts.at, texts.set, texts.suite, texts.change, texts.state, texts.asked]}
              testId="comparisons"
            >
              {all.map((job) => (
                <ComparisonRow key={job.jobId} job={job} />
              ))}
            </PlainTable>
          </section>
        )
      }
    </Reply>
  );
}

function ComparisonRow({ job: { jobId, request, state, progress, createdAt } }: { job: EvaluationJob }) {
  const { evaluation } = useOperationTexts();
  const { compare: texts } = evaluation;
  const { tag } = useMessages();
  const { doneCount = 0, totalCount = 0 } = progress ?? {};
  return (
    <tr>
      <th scope="row">
        <a href={linkTo('evaluation', 'compare', jobId)}>{createdAt && formatTime(timestampDate(createdAt), tag)}</a>
      </th>
      <td>{request?.dataSet}</td>
      <td>{request && kindName(request.suite, evaluation)}</td>
      <td>{request?.variants.map(({ name }) => changeName(name, texts.changes)).join(', ') || '–'}</td>
      <td>
        <JobStateBadge state={state} />
      </td>
      <td>{totalCount > 0 ? texts.running(formatCount(doneCount, tag), formatCount(totalCount, tag)) : '–'}</td>
    </tr>
  );
}
