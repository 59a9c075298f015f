import { useQuery } from '@connectrpc/connect-query';
import { useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components/Tabs';
import type { Topic } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { readDraft } from '../../hooks/kept-drafts.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Reply } from '../ui/reply.tsx';
import { DraftAnswer } from './draft-answer.tsx';
import { DraftDocument } from './draft-document.tsx';
import { draftNames } from './draft-text.ts';

interface DraftsProps extends Pick<SectionProps, 'apiKey' | 'roles'> {
  topic: Topic;
  /** Wordings of the question. */
  questions: readonly string[];
  /** The curated answer that was written before; empty: none. */
  curatedId: string;
  onPublished: (curatedId: string) => void;
  /** A document of the topic became live. */
  onLive: () => void;
}

/** What closes the gap of a topic: a curated answer to these questions, or a document from which others are answered too. */
export function Drafts({ topic, questions, curatedId, apiKey, roles, onPublished, onLive }: DraftsProps) {
  const texts = useOperationTexts();
  const corpora = useQuery(RetrievalService.method.listCorpora);
  const [hasDocument] = useState(
    () => Object.keys(readDraft(sessionStorage, draftNames(topic.topicId).document)).length > 0,
  );
  const isEditor = roles.includes(Role.EDITOR);
  return (
    <section className="draft" aria-label={texts.inbox.draft}>
      <h3>{texts.inbox.draft}</h3>
      <Reply query={corpora}>
        {(reply) => {
          const names = reply.corpora.map(({ name }) => name);
          return (
            <Tabs className="tabs" defaultSelectedKey={hasDocument ? 'document' : 'answer'}>
              <TabList className="tab-list" aria-label={texts.inbox.draft}>
                <Tab id="answer" className="tab" data-testid="draft-tab-answer">
                  {texts.inbox.asAnswer}
                </Tab>
                <Tab id="document" className="tab" data-testid="draft-tab-document">
                  {texts.inbox.asDocument}
                </Tab>
              </TabList>
              <TabPanel id="answer" className="tab-panel" shouldForceMount>
                <p className="field-hint">{texts.inbox.asAnswerText}</p>
                <DraftAnswer
                  draftName={draftNames(topic.topicId).answer}
                  questions={questions}
                  curatedId={curatedId}
                  corpora={names}
                  onPublished={onPublished}
                />
              </TabPanel>
              <TabPanel id="document" className="tab-panel" shouldForceMount>
                <p className="field-hint">{isEditor ? texts.inbox.asDocumentText : texts.inbox.noEditor}</p>
                {isEditor && <DraftDocument topic={topic} corpora={names} apiKey={apiKey} onLive={onLive} />}
              </TabPanel>
            </Tabs>
          );
        }}
      </Reply>
    </section>
  );
}
