import { useMutation, useQuery } from '@connectrpc/connect-query';
import { Button } from 'react-aria-components/Button';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { Field } from '../ui/field.tsx';
import { ActionFailure } from '../ui/reply.tsx';
import { useDraft } from '../ui/use-draft.ts';

/** Most wordings of a curated answer; the contract's limit. */
const maxWordings = 20;

interface DraftAnswerProps {
  /** Under which what is written is kept until it is published. */
  draftName: string;
  /** Wordings of the question. */
  questions: readonly string[];
  /** The curated answer that was written before; empty: none. */
  curatedId: string;
  corpora: readonly string[];
  onPublished: (curatedId: string) => void;
}

/** Writes the curated answer to the questions of a topic. */
export function DraftAnswer({ draftName, questions, curatedId, corpora, onPublished }: DraftAnswerProps) {
  const texts = useOperationTexts();
  const draft = useDraft(draftName);
  // What was published for this topic before is edited, not lost.
  const versions = useQuery(
    CuratedAnswerService.method.listCuratedVersions,
    { id: curatedId },
    { enabled: curatedId !== '' },
  );
  const [latest] = versions.data?.versions ?? [];
  const stored = latest?.deleted === false ? latest : undefined;
  const corpus = corpora.find((name) => name === (draft.fields.corpus ?? stored?.corpus)) ?? corpora[0] ?? '';
  const wordings = draft.fields.wordings ?? (stored?.questions ?? questions).slice(0, maxWordings).join('\n');
  const answer = draft.fields.answer ?? stored?.answer ?? '';
  const put = useMutation(CuratedAnswerService.method.putCuratedAnswer, {
    onSuccess({ answer: published }) {
      draft.forget();
      if (published) onPublished(published.id);
    },
  });
  const lines = wordings
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return (
    <form
      className="source-form"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate({ id: curatedId, corpus, questions: lines.slice(0, maxWordings), answer });
      }}
    >
      <Choice
        label={texts.documents.corpus}
        value={corpus}
        options={corpora.map((name) => ({ value: name, label: name }))}
        onChange={(changed) => draft.change({ corpus: changed })}
      />
      <Field
        label={texts.inbox.wordings}
        hint={texts.inbox.wordingsHint}
        value={wordings}
        onChange={(changed) => draft.change({ wordings: changed })}
        rows={4}
        testId="wordings"
      />
      <Field
        label={texts.inbox.answer}
        value={answer}
        onChange={(changed) => draft.change({ answer: changed })}
        rows={5}
        testId="draft-answer"
      />
      <ActionFailure error={put.error} />
      <div className="form-actions">
        <Button
          type="submit"
          className="button primary"
          isDisabled={put.isPending || lines.length === 0 || answer.trim() === '' || corpus === ''}
          data-testid="publish-answer"
        >
          {texts.inbox.publish}
        </Button>
        {put.isSuccess && (
          <span role="status" data-testid="answer-published">
            {texts.inbox.published}
          </span>
        )}
      </div>
    </form>
  );
}
