import { createClient } from '@connectrpc/connect';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Api } from '../../api.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Checks } from '../ui/checks.tsx';
import { ActionFailure } from '../ui/reply.tsx';

/** Entries of the audit that are read, and questions that are shown. */
const [maxEntries, maxShown] = [500, 50];
const timeoutMs = 30_000;

/** A question with the documents that answer it. */
export interface Question {
  queryId: string;
  text: string;
  judgements: { documentId: string; grade: number }[];
}

interface ProductionQuestionsProps {
  api: Api;
  canAdd: boolean;
  onAdd: (questions: readonly Question[]) => Promise<void>;
}

/** Questions that people have asked, with the documents that their answers cite: a person chooses those that are right. */
export function ProductionQuestions({ api, canAdd, onAdd }: ProductionQuestionsProps) {
  const texts = useOperationTexts().evaluation.sets;
  const [chosen, setChosen] = useState<string[]>([]);
  const load = useMutation({ mutationFn: () => readQuestions(api) });
  const found = load.data;
  return (
    <>
      <p className="faint">{texts.productionText}</p>
      {found === undefined && (
        <div className="page-actions">
          <Button
            className="button"
            isDisabled={load.isPending}
            onPress={() => load.mutate()}
            data-testid="load-questions"
          >
            {texts.load}
          </Button>
        </div>
      )}
      <ActionFailure error={load.error} />
      {found !== undefined && found.length === 0 && <p className="faint">{texts.noProduction}</p>}
      {found !== undefined && found.length > 0 && (
        <>
          <Checks
            label={texts.production}
            options={found.map(({ queryId, text, judgements }) => ({
              value: queryId,
              label: `${text} → ${judgements.map(({ documentId }) => documentId).join(', ')}`,
            }))}
            value={chosen}
            onChange={setChosen}
            testId="production"
          />
          <div className="form-actions">
            <Button
              className="button primary"
              isDisabled={!canAdd || chosen.length === 0}
              onPress={async () => {
                await onAdd(found.filter(({ queryId }) => chosen.includes(queryId)));
                setChosen([]);
              }}
              data-testid="add-questions"
            >
              {texts.add(chosen.length)}
            </Button>
          </div>
        </>
      )}
    </>
  );
}

/** Returns answered questions with the documents that their answers cite, the latest first; one that was asked several times is there once. */
async function readQuestions({ transport }: Api): Promise<Question[]> {
  const questions = new Map<string, Question>();
  const entries = createClient(AuditService, transport).queryAudit({ limit: maxEntries }, { timeoutMs });
  for await (const { entry } of entries) {
    const record = entry?.record;
    if (record === undefined || record.outcome !== AnswerOutcome.ANSWERED) continue;
    const text = record.standaloneQuestion || record.question;
    const cited = record.citedMarkers.flatMap((marker) => record.evidence[marker - 1]?.documentId ?? []);
    if (text === '' || cited.length === 0 || questions.has(text) || questions.size >= maxShown) continue;
    const judgements = [...new Set(cited)].map((documentId) => ({ documentId, grade: 1 }));
    questions.set(text, { queryId: record.answerId, text, judgements });
  }
  return [...questions.values()];
}
