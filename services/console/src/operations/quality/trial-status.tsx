import { useQuery } from '@connectrpc/connect-query';
import type { Trial, TrialAnswers } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Facts } from '../ui/facts.tsx';
import { PlainTable } from '../ui/plain-table.tsx';

const pollMs = 10_000;

/** What answers, users and searches say of a held version and of the live one; nothing if it is not on trial. */
export function TrialStatus({ corpus, jobId }: { corpus: string; jobId: string }) {
  const { data } = useQuery(VersionGateService.method.getTrial, { corpus }, { refetchInterval: pollMs });
  return data?.trial?.jobId === jobId ? <Figures trial={data.trial} /> : null;
}

function Figures({ trial }: { trial: Trial }) {
  const { trial: texts } = useOperationTexts();
  const { tag } = useMessages();
  const { shares, searches, live, candidate, version, liveVersion } = trial;
  const count = (value: bigint | undefined) => (value ?? 0n).toLocaleString(tag);
  const share = (value: number) => value.toLocaleString(tag, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const row = (name: string, number: bigint, answers: TrialAnswers | undefined) => (
    <tr>
      <th scope="row">
        {name} ({count(number)})
      </th>
      <td>{count(answers?.answerCount)}</td>
      <td>{count(answers?.refusedCount)}</td>
      <td>{count(answers?.otherCount)}</td>
      <td>{count(answers?.upCount)}</td>
      <td>{count(answers?.downCount)}</td>
    </tr>
  );
  return (
    <section className="findings" aria-label={texts.title} data-testid="trial">
      <h3>{texts.title}</h3>
      {trial.lacksAnswers ? (
        <p className="faint">{texts.lacksAnswers}</p>
      ) : (
        <PlainTable
          columns={[texts.version, texts.answers, texts.refused, texts.other, texts.up, texts.down]}
          testId="trial-answers"
        >
          {row(texts.candidate, version, candidate)}
          {row(texts.live, liveVersion, live)}
        </PlainTable>
      )}
      {trial.isPartial && <p className="faint">{texts.isPartial}</p>}
      <Facts
        facts={[
          [texts.canary, String(shares?.canaryPercent ?? 0)],
          [texts.shadow, String(shares?.shadowPercent ?? 0)],
          ...(searches === undefined || searches.comparedCount === 0n
            ? []
            : ([
                [texts.compared, count(searches.comparedCount)],
                [texts.same, count(searches.sameCount)],
                [texts.overlap, share(searches.meanOverlap)],
                [texts.ndcg, share(searches.meanNdcg)],
                [texts.onlyLive, count(searches.onlyLiveCount)],
                [texts.onlyCandidate, count(searches.onlyCandidateCount)],
                [texts.failed, count(searches.failedCount + searches.droppedCount)],
              ] as const)),
        ]}
      />
    </section>
  );
}
