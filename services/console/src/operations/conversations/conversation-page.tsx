import { timestampDate } from '@bufbuild/protobuf/wkt';
import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { Turn } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type Conversation, ConversationDeskService } from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { HandoverService } from '#gen/ragmesh/chat/v1/handover_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { CallerService } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { formatCost, formatCount, formatMs, formatWhen } from '../../format.ts';
import { useMessages } from '../../i18n/index.ts';
import { linkTo } from '../../state/sections.ts';
import { whyLink } from '../../state/why-link.ts';
import { Waterfall } from '../charts/waterfall.tsx';
import { useOperationTexts } from '../i18n/index.ts';
import { Field } from '../ui/field.tsx';
import { PageHead } from '../ui/page-head.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';
import { useDraft } from '../ui/use-draft.ts';
import { HandoverBadge } from './handover-badge.tsx';

/** How often a session that waits for a person or is with one is read again, in milliseconds. */
const pollMs = 4000;

/** A session of a user: its turns, how each answer was made, and the hand-over to a person. */
export function ConversationPage({ sessionId }: { sessionId: string }) {
  const session = useQuery(
    ConversationDeskService.method.getConversation,
    { sessionId },
    { refetchInterval: ({ state }) => (isOpen(state.data?.conversation) ? pollMs : false) },
  );
  return (
    <Reply query={session}>
      {({ conversation, turns }) => conversation && <Whole conversation={conversation} turns={turns} />}
    </Reply>
  );
}

const isOpen = (conversation: Conversation | undefined) =>
  conversation?.handoverState === HandoverState.WAITING || conversation?.handoverState === HandoverState.WITH_PERSON;

function Whole({ conversation, turns }: { conversation: Conversation; turns: readonly Turn[] }) {
  const texts = useOperationTexts();
  const queries = useQueryClient();
  const { session, user, handoverState } = conversation;
  const sessionId = session?.sessionId ?? '';
  const move = useMutation(HandoverService.method.updateHandover, { onSuccess: () => queries.invalidateQueries() });
  return (
    <>
      <PageHead
        title={session?.title ?? ''}
        back={{ href: linkTo('conversations'), label: texts.conversations.title }}
        badge={<HandoverBadge state={handoverState} />}
      >
        <span className="faint">{user}</span>
        {handoverState === HandoverState.WAITING && (
          <Button
            className="button primary"
            isDisabled={move.isPending}
            onPress={() => move.mutate({ sessionId, state: HandoverState.WITH_PERSON })}
            data-testid="accept"
          >
            {texts.conversations.accept}
          </Button>
        )}
        {isOpen(conversation) && (
          <Button
            className="button"
            isDisabled={move.isPending}
            onPress={() => move.mutate({ sessionId, state: HandoverState.RETURNED })}
            data-testid="return"
          >
            {texts.conversations.giveBack}
          </Button>
        )}
      </PageHead>
      <ActionFailure error={move.error} />
      <ol className="desk-turns" data-testid="desk-turns">
        {turns.map((turn) => (
          <DeskTurn key={turn.answerId} turn={turn} user={user} />
        ))}
      </ol>
      {handoverState === HandoverState.WITH_PERSON && <ReplyForm sessionId={sessionId} />}
    </>
  );
}

function ReplyForm({ sessionId }: { sessionId: string }) {
  const texts = useOperationTexts();
  const queries = useQueryClient();
  const draft = useDraft(`reply/${sessionId}`);
  const text = draft.fields.text ?? '';
  // The same id until the reply is stored: a second try of the same reply is not a second one.
  const [replyId, setReplyId] = useState(newReplyId);
  const reply = useMutation(ConversationDeskService.method.replyToConversation, {
    onSuccess() {
      draft.discard();
      setReplyId(newReplyId());
      return queries.invalidateQueries();
    },
  });
  return (
    <form
      className="desk-reply"
      onSubmit={(event) => {
        event.preventDefault();
        reply.mutate({ sessionId, text, replyId });
      }}
    >
      <Field
        label={texts.conversations.reply}
        value={text}
        onChange={(changed) => draft.change({ text: changed })}
        rows={3}
        testId="desk-reply"
      />
      <ActionFailure error={reply.error} />
      <Button
        type="submit"
        className="button primary"
        isDisabled={text.trim() === '' || reply.isPending}
        data-testid="desk-send"
      >
        {texts.conversations.send}
      </Button>
    </form>
  );
}

const newReplyId = () => crypto.getRandomValues(new Uint32Array(4)).join('-');

function DeskTurn({ turn, user }: { turn: Turn; user: string }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const { question, answer, person, askedAt, trace } = turn;
  return (
    <li className="desk-turn" data-testid="desk-turn" data-person={person !== ''}>
      {question !== '' && <p className="strong">{question}</p>}
      <p className="chunk-text">{answer}</p>
      <p className="page-note">
        {person === '' ? texts.conversations.assistant(user) : person}
        {askedAt && ` · ${formatWhen(timestampDate(askedAt), new Date(), tag)}`}
      </p>
      {trace !== undefined && <Made turn={turn} />}
    </li>
  );
}

/** How an answer was made: its stages, tokens, cost, cache, what it did without, and its ids. */
function Made({ turn }: { turn: Turn }) {
  const texts = useOperationTexts();
  const messages = useMessages();
  const { tag } = messages;
  const { trace, question, answerId, model, citations } = turn;
  if (trace === undefined) return null;
  const { usage, totalUs, firstTextUs, cacheLayer, degradations, versions, traceId } = trace;
  const caller = useQuery(CallerService.method.getCaller, {}, { staleTime: Number.POSITIVE_INFINITY }).data;
  const readsAudit = caller?.caller?.roles.includes(Role.AUDITOR) ?? false;
  const traceUrl = caller?.traceUrl ? caller.traceUrl.replace('{trace_id}', encodeURIComponent(traceId)) : '';
  const facts: [string, string][] = [
    [messages.answer.model, model],
    [messages.answer.firstText, firstTextUs > 0n ? formatMs(Number(firstTextUs) / 1000) : ''],
    [
      messages.answer.tokens,
      usage === undefined
        ? ''
        : messages.answer.tokenCounts(formatCount(usage.promptTokens, tag), formatCount(usage.completionTokens, tag)),
    ],
    [messages.answer.cost, usage?.costMicros === undefined ? '' : formatCost(usage.costMicros, usage.currency, tag)],
    [texts.conversations.cache, cacheLayer === CacheLayer.UNSPECIFIED ? '' : messages.answer.cached],
    [texts.conversations.passages, formatCount(trace.passageCount, tag)],
    [texts.conversations.degraded, degradations.map(({ reason, effect }) => `${reason}: ${effect}`).join('; ')],
    [texts.conversations.answerId, answerId],
    [messages.answer.trace, traceId],
  ];
  const sources = versions.length > 0 ? versions : citations;
  return (
    <details className="desk-made">
      <summary data-testid="made">
        {texts.conversations.made} · {formatMs(Number(totalUs) / 1000)}
      </summary>
      <Waterfall trace={trace} />
      <dl className="lab-path">
        {facts
          .filter(([, value]) => value !== '')
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      <div className="page-actions">
        <a className="button" href={whyLink({ question, standaloneQuestion: trace.standaloneQuestion, sources })}>
          {messages.answer.why}
        </a>
        {readsAudit && (
          <a
            className="button"
            href={linkTo('administration', 'audit', 'answer', answerId)}
            data-testid="audit-of-answer"
          >
            {texts.conversations.auditEntry}
          </a>
        )}
        {traceUrl !== '' && traceId !== '' && (
          <a className="button" href={traceUrl} target="_blank" rel="noreferrer" data-testid="trace-of-answer">
            {messages.answer.trace}
          </a>
        )}
      </div>
    </details>
  );
}
