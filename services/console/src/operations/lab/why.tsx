import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type ChunkPath, type ExplainResponse, Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { Notice } from '../../components/notice.tsx';
import { type LabQuery, toSearch } from '../../state/lab-query.ts';
import { toneOf } from '../../state/remedies.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { ActionFailure } from '../ui/reply.tsx';
import { DocumentPicker } from './document-picker.tsx';
import { Remedies } from './remedies.tsx';

interface WhyProps {
  query: LabQuery;
  roles: readonly Role[];
  onChange: (change: Partial<LabQuery>) => void;
}

/** Why a document is or is not in the result of a search, and what can be done about it. */
export function Why({ query, roles, onChange }: WhyProps) {
  const texts = useOperationTexts();
  const { corpus, documentId, user, groups, reason } = query;
  const { mutate, data, error, isPending } = useMutation(SearchLabService.method.explainDocument);
  const explain = () => {
    if (corpus === '' || documentId === '') return;
    const viewAs = user === '' ? {} : { viewAs: { user, groups: [...groups], reason } };
    mutate({ search: toSearch(query), corpus, documentId, ...viewAs });
  };
  useEffect(explain, []);
  const explanation = data?.explanation;
  const [curated] =
    useQuery(CuratedAnswerService.method.listCuratedAnswers, { question: query.question }).data?.answers ?? [];
  return (
    <section className="lab-why" aria-label={texts.lab.whyTitle}>
      <h3>{texts.lab.whyTitle}</h3>
      <DocumentPicker corpus={corpus} documentId={documentId} corpora={query.corpora} onPick={onChange} />
      {isPending && (
        <p className="waiting" role="status">
          {texts.loading}
        </p>
      )}
      <ActionFailure error={error} />
      {curated !== undefined && (
        <Notice tone="warning" title={texts.lab.isCurated} testId="is-curated">
          <p>{texts.lab.isCuratedText(curated.title)}</p>
        </Notice>
      )}
      {explanation !== undefined && (
        <div className="lab-verdict" data-testid="verdict" data-verdict={explanation.verdict}>
          <p>
            <Badge tone={toneOf(explanation.verdict)}>{texts.lab.verdicts[explanation.verdict]}</Badge>{' '}
            {texts.lab.verdictTexts[explanation.verdict]}
          </p>
          {data !== undefined && data.groupsLeftOut.length > 0 && (
            <p className="page-note">{texts.lab.leftOut(data.groupsLeftOut.join(', '))}</p>
          )}
          {explanation.changedInVersion > 0n && (
            <p className="page-note" data-testid="changed-in-version">
              {texts.lab.isChanged(String(explanation.changedInVersion))}
            </p>
          )}
          <Path explanation={explanation} />
          <Remedies
            explanation={explanation}
            curated={curated}
            query={query}
            roles={roles}
            onChange={onChange}
            onDone={explain}
          />
        </div>
      )}
    </section>
  );
}

/** How far the best chunks of the document came. */
function Path({ explanation }: { explanation: ExplainResponse }) {
  const texts = useOperationTexts();
  const [isWhole, setWhole] = useState(false);
  const { chunks, access, version, candidateLimit } = explanation;
  const shown = isWhole ? chunks : chunks.slice(0, 1);
  return (
    <>
      {access !== undefined && (
        <p className="page-note">
          {texts.documents.columns.access}: {access.groups.join(', ') || texts.documents.everyone}
          {version > 0n && ` · ${texts.lab.versionOf(String(version))}`}
        </p>
      )}
      {shown.map((chunk) => (
        <ChunkFacts key={chunk.chunkId} chunk={chunk} candidateLimit={candidateLimit} />
      ))}
      {shown.length < chunks.length && (
        <Button className="button quiet" onPress={() => setWhole(true)}>
          {texts.lab.otherChunks(chunks.length - shown.length)}
        </Button>
      )}
    </>
  );
}

function ChunkFacts({ chunk, candidateLimit }: { chunk: ChunkPath; candidateLimit: number }) {
  const texts = useOperationTexts();
  const leg = (which: Leg) => {
    const at = chunk.legs.find((one) => one.leg === which);
    if (at === undefined) return undefined;
    if (at.rank === 0) return texts.lab.notFoundByLeg;
    const score = `${at.rank} · ${at.score.toFixed(3)}`;
    return at.rank > candidateLimit ? `${score} (${texts.lab.needed(at.neededScore.toFixed(3))})` : score;
  };
  const facts: [string, string | undefined][] = [
    [texts.lab.vector, leg(Leg.VECTOR)],
    [texts.lab.keyword, leg(Leg.KEYWORD)],
    [texts.lab.fused, chunk.fusedRank > 0 ? `${chunk.fusedRank} · ${chunk.fusedScore.toFixed(3)}` : undefined],
    [texts.lab.reranked, chunk.rerankRank > 0 ? `${chunk.rerankRank} · ${chunk.rerankScore.toFixed(3)}` : undefined],
    [texts.lab.rank, chunk.rank > 0 ? String(chunk.rank) : undefined],
    [texts.lab.matched, chunk.matchedWords.join(', ')],
    [texts.lab.missing, chunk.missingWords.join(', ')],
    [texts.lab.duplicateOf, chunk.duplicateOf],
  ];
  return (
    <dl className="lab-path" data-testid="path">
      {facts
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
