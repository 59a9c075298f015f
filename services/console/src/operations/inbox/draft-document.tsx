import { useQuery } from '@connectrpc/connect-query';
import { Button } from 'react-aria-components/Button';
import type { Topic } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { applyReadMasks } from '#kit/personal-data/apply-read-masks.ts';
import { useUpload } from '../documents/upload/use-upload.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { Field } from '../ui/field.tsx';
import { ActionFailure } from '../ui/reply.tsx';
import { splitNames } from '../ui/split-names.ts';
import { useDraft } from '../ui/use-draft.ts';
import { draftNames, draftPath, draftText, textOfDraft } from './draft-text.ts';
import { Publication } from './publication.tsx';

interface DraftDocumentProps {
  topic: Topic;
  corpora: readonly string[];
  /** For the upload. */
  apiKey: string;
  /** Its version is live. */
  onLive: () => void;
}

/** Writes a document that answers the questions of a topic, and follows it through its job and its gate until readers find it. */
export function DraftDocument({ topic, corpora, apiKey, onLive }: DraftDocumentProps) {
  const texts = useOperationTexts();
  const draft = useDraft(draftNames(topic.topicId).document);
  const edited = draft.fields;
  const corpus = corpora.find((name) => name === edited.corpus) ?? corpora[0] ?? '';
  const upload = useUpload(apiKey);
  const path = draftPath(topic);
  // What was written for this topic before is edited, not lost.
  const stored = useQuery(IndexerService.method.getDocument, { corpus, documentId: path }, { retry: false });
  const document = stored.data?.document;
  const title = edited.title ?? document?.title ?? topic.question;
  const groups = edited.groups ?? document?.access?.groups.join(' ') ?? '';
  const text =
    edited.text ?? (stored.data === undefined ? '' : textOfDraft(applyReadMasks(stored.data.text, stored.data.masks)));
  const isRunning = upload.state === 'running';
  const jobId = upload.jobIds.at(-1);
  const publish = () => {
    const content = new File([draftText(title, text)], path, { type: 'text/markdown' });
    void upload.start({ corpus, groups: splitNames(groups), files: [{ path, content }], options: {} });
  };
  return (
    <>
      <form
        className="source-form"
        onSubmit={(event) => {
          event.preventDefault();
          publish();
        }}
      >
        <div className="upload-target">
          <Choice
            label={texts.documents.corpus}
            value={corpus}
            options={corpora.map((name) => ({ value: name, label: name }))}
            onChange={(changed) => draft.change({ corpus: changed })}
            testId="draft-corpus"
          />
          <Field
            label={texts.upload.groups}
            hint={texts.upload.groupsHint}
            value={groups}
            onChange={(changed) => draft.change({ groups: changed })}
            testId="draft-groups"
          />
        </div>
        <Field
          label={texts.inbox.documentTitle}
          hint={texts.inbox.documentTitleHint}
          value={title}
          onChange={(changed) => draft.change({ title: changed })}
          testId="draft-title"
        />
        <Field
          label={texts.inbox.documentText}
          hint={texts.inbox.documentTextHint}
          value={text}
          onChange={(changed) => draft.change({ text: changed })}
          rows={8}
          testId="draft-text"
        />
        <ActionFailure error={upload.error} />
        <div className="form-actions">
          <Button
            type="submit"
            className="button primary"
            isDisabled={isRunning || corpus === '' || title.trim() === '' || text.trim() === '' || stored.isLoading}
            data-testid="publish-document"
          >
            {document === undefined ? texts.inbox.publishDocument : texts.inbox.replaceDocument}
          </Button>
          <code className="faint">{path}</code>
        </div>
      </form>
      {jobId !== undefined && (
        <Publication
          key={jobId}
          jobId={jobId}
          onLive={() => {
            draft.forget();
            onLive();
          }}
        />
      )}
    </>
  );
}
