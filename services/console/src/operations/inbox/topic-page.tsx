import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { GetTopicResponse, Topic } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { InboxService, TopicState } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { formatCount, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import type { SectionProps } from '../section.ts';
import { Badge } from '../ui/badge.tsx';
import { Facts } from '../ui/facts.tsx';
import { Field } from '../ui/field.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';
import { AskAgain } from './ask-again.tsx';
import { Drafts } from './drafts.tsx';

/** A topic of the inbox: its questions, an answer for them, the proof, and its end. */
export function TopicPage({ topicId, ...props }: Omit<SectionProps, 'parts'> & { topicId: string }) {
  const topic = useQuery(InboxService.method.getTopic, { topicId });
  return (
    <Reply query={topic}>
      {(reply) => reply.topic && <Whole {...props} topic={reply.topic} questions={reply.questions} />}
    </Reply>
  );
}

interface WholeProps extends Omit<SectionProps, 'parts'> {
  topic: Topic;
  questions: GetTopicResponse['questions'];
}

function Whole({ api, apiKey, roles, topic, questions }: WholeProps) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const queries = useQueryClient();
  const [assignee, setAssignee] = useState(topic.assignee);
  const [comment, setComment] = useState(topic.comment);
  // How often a document of this topic became live; each time its questions are asked again.
  const [liveCount, setLiveCount] = useState(0);
  const [curatedId, setCuratedId] = useState(topic.curatedAnswerId);
  const update = useMutation(InboxService.method.updateTopic, { onSuccess: () => queries.invalidateQueries() });
  const { topicId, state } = topic;
  const change = (to: TopicState, curatedAnswerId = curatedId) =>
    update.mutate({ topicId, state: to, assignee, comment, curatedAnswerId });
  const wordings = [...new Set(questions.map(({ question }) => question))];
  const when = (at: Topic['lastAskedAt']) => at && formatWhen(timestampDate(at), new Date(), tag);
  return (
    <>
      <PageHead
        title={topic.question}
        back={{ href: linkTo('inbox'), label: texts.inbox.title }}
        badge={<Badge tone={state === TopicState.OPEN ? 'warning' : 'good'}>{texts.inbox.states[state]}</Badge>}
      >
        {state !== TopicState.RESOLVED && (
          <Button className="button primary" onPress={() => change(TopicState.RESOLVED)} data-testid="resolve">
            {texts.inbox.resolve}
          </Button>
        )}
        {state !== TopicState.OPEN && (
          <Button className="button" onPress={() => change(TopicState.OPEN)} data-testid="reopen">
            {texts.inbox.reopen}
          </Button>
        )}
        {state === TopicState.OPEN && (
          <Button className="button" onPress={() => change(TopicState.DISMISSED)} data-testid="dismiss">
            {texts.inbox.dismiss}
          </Button>
        )}
      </PageHead>
      <Facts
        facts={[
          [texts.inbox.columns.count, formatCount(topic.questionCount, tag)],
          ...topic.reasons.map(
            ({ reason, count }) => [texts.inbox.reasons[reason] ?? '', formatCount(count, tag)] as const,
          ),
          [texts.inbox.first, when(topic.firstAskedAt)],
          [texts.inbox.columns.last, when(topic.lastAskedAt)],
          [texts.inbox.changedBy, topic.changedBy],
        ]}
      />
      <form
        className="upload-target topic-work"
        onSubmit={(event) => {
          event.preventDefault();
          change(state);
        }}
      >
        <Field label={texts.inbox.columns.assignee} value={assignee} onChange={setAssignee} testId="assignee" />
        <Field label={texts.inbox.comment} value={comment} onChange={setComment} testId="topic-comment" />
        <div className="form-actions">
          <Button type="submit" className="button" isDisabled={update.isPending} data-testid="save-topic">
            {texts.sources.save}
          </Button>
          {update.isSuccess && <span role="status">{texts.saved}</span>}
        </div>
      </form>
      <ActionFailure error={update.error} />
      <section className="findings" data-testid="questions">
        <h3>{texts.inbox.questions}</h3>
        <ul>
          {questions.map(({ answerId, question, reason, askedAt }) => (
            <li key={answerId}>
              <span>{question}</span>
              <span className="faint">
                {texts.inbox.reasons[reason]} · {when(askedAt)}
              </span>
            </li>
          ))}
        </ul>
      </section>
      <Drafts
        topic={topic}
        questions={wordings}
        curatedId={curatedId}
        apiKey={apiKey}
        roles={roles}
        onPublished={(id) => {
          setCuratedId(id);
          change(state, id);
        }}
        onLive={() => {
          setLiveCount((before) => before + 1);
          void queries.invalidateQueries();
        }}
      />
      <AskAgain key={liveCount} api={api} questions={wordings} isStarted={liveCount > 0} />
    </>
  );
}
