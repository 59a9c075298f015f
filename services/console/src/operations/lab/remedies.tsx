import { useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { CuratedAnswer } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type ExplainResponse, RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { type LabQuery, linkToLab } from '../../state/lab-query.ts';
import { type Remedy, remediesOf } from '../../state/remedies.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { DraftAnswer } from '../inbox/draft-answer.tsx';
import { AddTerm } from './add-term.tsx';

interface RemediesProps {
  explanation: ExplainResponse;
  /** The answer that the question gets before any search. */
  curated: CuratedAnswer | undefined;
  query: LabQuery;
  roles: readonly Role[];
  onChange: (change: Partial<LabQuery>) => void;
  /** Something was changed: the verdict may be another one. */
  onDone: () => void;
}

/** Remedies that are done on the page. */
const inPlace = ['term', 'curate'] as const;
type InPlace = (typeof inPlace)[number];

/** What can be done about a verdict, each as an action. */
export function Remedies({ explanation, curated, query, roles, onChange, onDone }: RemediesProps) {
  const texts = useOperationTexts();
  const [open, setOpen] = useState<InPlace>();
  const isEditor = roles.includes(Role.EDITOR);
  const remedies = remediesOf(explanation, curated !== undefined);
  const duplicateOf = explanation.chunks[0]?.duplicateOf ?? '';
  const represents = useQuery(
    RetrievalService.method.getPassages,
    { chunkIds: [duplicateOf] },
    { enabled: duplicateOf !== '' },
  );
  const link = linkOf(query, represents.data?.passages[0]);
  const act = actOn(query, explanation, onChange);
  return (
    <section className="lab-remedies" aria-label={texts.lab.remedies}>
      <h4>{texts.lab.remedies}</h4>
      <ul>
        {remedies.map((remedy) => {
          const href = link(remedy);
          const action = act(remedy);
          const isHere = inPlace.some((one) => one === remedy);
          if (href !== undefined && !isEditor && remedy !== 'version') {
            return (
              <li key={remedy} data-testid={`remedy-${remedy}`}>
                {texts.lab.remedyNames[remedy]} <span className="faint">{texts.lab.needsEditor}</span>
              </li>
            );
          }
          return (
            <li key={remedy} data-testid={`remedy-${remedy}`}>
              {href !== undefined && (
                <a className="button" href={href}>
                  {texts.lab.remedyNames[remedy]}
                </a>
              )}
              {(action !== undefined || isHere) && (
                <Button
                  className="button"
                  {...(isHere && { 'aria-expanded': open === remedy })}
                  onPress={action ?? (() => setOpen(open === remedy ? undefined : (remedy as InPlace)))}
                >
                  {texts.lab.remedyNames[remedy]}
                </Button>
              )}
              <span className="faint">{texts.lab.remedyTexts[remedy]}</span>
            </li>
          );
        })}
      </ul>
      {open === 'term' && (
        <AddTerm words={explanation.chunks[0]?.missingWords ?? []} question={query.question} onDone={onDone} />
      )}
      {open === 'curate' && (
        <DraftAnswer
          draftName={`lab/${query.corpus}/${query.question}`}
          questions={[query.question]}
          curatedId=""
          corpora={[query.corpus]}
          onPublished={() => {}}
        />
      )}
    </section>
  );
}

/** Returns what gives the page on which a remedy is done; `undefined` if it is done here. */
function linkOf({ corpus, documentId }: LabQuery, represents: Passage | undefined) {
  const document = linkTo('documents', corpus, 'document', documentId);
  return (remedy: Remedy): string | undefined => {
    switch (remedy) {
      case 'upload':
      case 'grant':
        return linkTo('documents', corpus, 'upload');
      case 'version':
        return linkTo('quality', 'versions', corpus);
      case 'duplicate':
        return linkTo('documents', corpus, 'document', represents?.documentId ?? documentId);
      case 'edit':
      case 'show':
      case 'boost':
      case 'parse':
        return document;
      default:
        return undefined;
    }
  };
}

/** Returns what gives the change of the search that a remedy is; `undefined` if it is another kind. */
function actOn(query: LabQuery, { rerankLimit }: ExplainResponse, onChange: RemediesProps['onChange']) {
  return (remedy: Remedy): (() => void) | undefined => {
    switch (remedy) {
      case 'corpus':
        return () => onChange({ corpora: query.corpora.length === 0 ? [] : [...query.corpora, query.corpus] });
      case 'limits':
        return () => onChange({ topK: Math.max(query.topK, Math.min(100, rerankLimit || 50)), candidates: 200 });
      case 'filter':
        return () => {
          window.location.hash = linkToLab(query);
        };
      default:
        return undefined;
    }
  };
}
