import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { Api } from '../../api.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Checks } from '../ui/checks.tsx';
import { Choice } from '../ui/choice.tsx';
import { Field } from '../ui/field.tsx';
import { ActionFailure } from '../ui/reply.tsx';
import { type Question, readQuestions, type Source, sources } from './read-questions.ts';

interface ProductionQuestionsProps {
  api: Api;
  canAdd: boolean;
  onAdd: (questions: readonly Question[]) => Promise<void>;
}

/** Questions that people have asked or rated: a person chooses those whose documents are right, or says which ones would be. */
export function ProductionQuestions({ api, canAdd, onAdd }: ProductionQuestionsProps) {
  const texts = useOperationTexts().evaluation.sets;
  const [source, setSource] = useState<Source>('answered');
  const [chosen, setChosen] = useState<string[]>([]);
  const [documents, setDocuments] = useState('');
  const load = useMutation({ mutationFn: () => readQuestions(api, source) });
  const found = load.data;
  const needsDocuments = source === 'unhelpful';
  const judgements = [...new Set(documents.split('\n').map((line) => line.trim()))]
    .filter((documentId) => documentId !== '')
    .map((documentId) => ({ documentId, grade: 1 }));
  return (
    <>
      <p className="faint">{texts.sourceTexts[source]}</p>
      <div className="page-actions">
        <Choice
          label={texts.source}
          isLabelHidden
          value={source}
          options={sources.map((value) => ({ value, label: texts.sources[value] }))}
          onChange={(value) => {
            setSource(value);
            setChosen([]);
            load.reset();
          }}
          testId="question-source"
        />
        {found === undefined && (
          <Button
            className="button"
            isDisabled={load.isPending}
            onPress={() => load.mutate()}
            data-testid="load-questions"
          >
            {texts.load}
          </Button>
        )}
      </div>
      <ActionFailure error={load.error} />
      {found !== undefined && found.length === 0 && <p className="faint">{texts.noQuestions[source]}</p>}
      {found !== undefined && found.length > 0 && (
        <>
          <Checks
            label={texts.production}
            options={found.map((question) => ({ value: question.queryId, label: labelOf(question) }))}
            value={chosen}
            onChange={setChosen}
            testId="production"
          />
          {needsDocuments && (
            <div className="single-field">
              <Field
                label={texts.rightDocuments}
                hint={texts.rightDocumentsHint}
                rows={2}
                value={documents}
                onChange={setDocuments}
                testId="right-documents"
              />
            </div>
          )}
          <div className="form-actions">
            <Button
              className="button primary"
              isDisabled={!canAdd || chosen.length === 0 || (needsDocuments && judgements.length === 0)}
              onPress={async () => {
                const wanted = found.filter(({ queryId }) => chosen.includes(queryId));
                await onAdd(needsDocuments ? wanted.map((question) => ({ ...question, judgements })) : wanted);
                setChosen([]);
                setDocuments('');
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

function labelOf({ text, judgements }: Question): string {
  if (judgements.length === 0) return text;
  return `${text} → ${judgements.map(({ documentId }) => documentId).join(', ')}`;
}
