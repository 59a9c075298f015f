import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { RunSearchResponse, StageCandidate } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { formatMs } from '../../format.ts';
import { plainText } from '../../markdown/plain-text.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { Empty } from '../ui/empty.tsx';
import { namesOf } from '../ui/plain-table.tsx';
import { ScrollArea } from '../ui/scroll-area.tsx';

interface CandidatesProps {
  found: RunSearchResponse;
  /** The user as whom the search ran; empty: the caller. */
  user: string;
  /** Explains a document. */
  onWhy: (corpus: string, documentId: string) => void;
}

/** Candidates that are shown before the others are asked for. */
const firstCount = 20;

/** The candidates of a search: a row for each, with its place at every stage side by side. */
export function Candidates({ found, user, onWhy }: CandidatesProps) {
  const texts = useOperationTexts();
  const [isWhole, setWhole] = useState(false);
  const { candidates, legs, degradations, addedTerms, groupsLeftOut, rerankModel, embeddingModel } = found;
  const results = candidates.filter(({ rank }) => rank > 0).length;
  const shown = isWhole ? candidates : candidates.slice(0, Math.max(firstCount, results));
  const timeOf = (leg: Leg) => legs.find((one) => one.leg === leg)?.latencyUs;
  const head = (name: string, note: string) => (
    <th scope="col">
      {name}
      {note !== '' && <span className="faint">{note}</span>}
    </th>
  );
  const legHead = (leg: Leg, name: string, note: string) => {
    const time = timeOf(leg);
    return time === undefined ? null : head(name, [formatMs(Number(time) / 1000), note].filter(Boolean).join(' · '));
  };
  return (
    <section className="lab-result" aria-label={texts.lab.result}>
      {user !== '' && (
        <Notice tone="plain" title={texts.lab.viewedAs(user)} testId="viewed-as">
          {groupsLeftOut.length > 0 && <p>{texts.lab.leftOut(groupsLeftOut.join(', '))}</p>}
        </Notice>
      )}
      {degradations.map(({ stage, reason, effect }) => (
        <Notice key={stage} tone="warning" title={texts.lab.degraded} testId="lab-degraded">
          <p>{[reason, effect].filter(Boolean).join(' · ')}</p>
        </Notice>
      ))}
      <p className="page-note">
        {texts.lab.summary(results, candidates.length)}
        {addedTerms.length > 0 && ` ${texts.lab.addedTerms(addedTerms.join(', '))}`}{' '}
        {found.versions.map(({ corpus, version }) => `${corpus} ${version}`).join(' · ')}
      </p>
      {candidates.length === 0 ? (
        <Empty title={texts.lab.nothing} text={texts.lab.nothingText} />
      ) : (
        <ScrollArea label={texts.lab.candidateTable}>
          <table
            className="plain-table cards lab-table"
            style={namesOf([
              texts.lab.rank,
              texts.documents.columns.title,
              ...(timeOf(Leg.VECTOR) === undefined ? [] : [texts.lab.vector]),
              ...(timeOf(Leg.KEYWORD) === undefined ? [] : [texts.lab.keyword]),
              texts.lab.fused,
              texts.lab.reranked,
            ])}
            data-testid="candidates"
          >
            <thead>
              <tr>
                {head(texts.lab.rank, '')}
                {head(texts.documents.columns.title, '')}
                {legHead(Leg.VECTOR, texts.lab.vector, embeddingModel)}
                {legHead(Leg.KEYWORD, texts.lab.keyword, 'BM25')}
                {head(texts.lab.fused, texts.lab.weight(found.vectorWeight))}
                {head(texts.lab.reranked, rerankModel)}
                <th scope="col">
                  <span className="hidden">{texts.lab.why}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((candidate) => (
                <CandidateRow
                  key={`${candidate.corpus} ${candidate.chunkId}`}
                  candidate={candidate}
                  legs={[Leg.VECTOR, Leg.KEYWORD].filter((leg) => timeOf(leg) !== undefined)}
                  onWhy={() => onWhy(candidate.corpus, candidate.documentId)}
                />
              ))}
            </tbody>
          </table>
        </ScrollArea>
      )}
      {shown.length < candidates.length && (
        <Button className="button" onPress={() => setWhole(true)} data-testid="more-candidates">
          {texts.more}
        </Button>
      )}
    </section>
  );
}

interface RowProps {
  candidate: StageCandidate;
  legs: readonly Leg[];
  onWhy: () => void;
}

function CandidateRow({ candidate, legs, onWhy }: RowProps) {
  const texts = useOperationTexts();
  const { rank, title, documentId, corpus, headingPath, text, duplicateOf, fusedRank, fusedScore } = candidate;
  const signs = Object.entries(candidate.rerankSigns)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', ');
  return (
    <tr data-result={rank > 0} data-testid="candidate">
      <td className="lab-rank">{rank > 0 ? rank : '–'}</td>
      <th scope="row" className="lab-passage">
        <a href={linkTo('documents', corpus, 'document', documentId)}>{title || documentId}</a>
        {duplicateOf !== '' && <Badge tone="warning">{texts.lab.duplicate}</Badge>}
        {headingPath.length > 0 && <span className="faint">{headingPath.join(' › ')}</span>}
        <span className="lab-text">{plainText(text)}</span>
      </th>
      {legs.map((leg) => {
        const at = candidate.legs.find((one) => one.leg === leg);
        return <Place key={leg} rank={at?.rank ?? 0} score={at?.score ?? 0} />;
      })}
      <Place rank={fusedRank} score={fusedScore} />
      <Place rank={candidate.rerankRank} score={candidate.rerankScore} note={signs} />
      <td>
        <Button
          className="button quiet"
          aria-label={texts.lab.whyOf(title || documentId)}
          onPress={onWhy}
          data-testid="candidate-why"
        >
          {texts.lab.why}
        </Button>
      </td>
    </tr>
  );
}

/** The rank and score of a stage. */
function Place({ rank, score, note = '' }: { rank: number; score: number; note?: string }) {
  return (
    <td className="lab-place" title={note}>
      {rank === 0 ? (
        <span className="faint">–</span>
      ) : (
        <>
          <span className="strong">{rank}</span> <span className="faint">{score.toFixed(3)}</span>
        </>
      )}
    </td>
  );
}
