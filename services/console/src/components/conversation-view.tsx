import type { RefObject } from 'react';
import { useTurnScroll } from '../hooks/use-turn-scroll.ts';
import { useMessages } from '../i18n/index.ts';
import type { Conversation } from '../state/conversation.ts';
import { Turn, type TurnActions } from './answer/turn.tsx';
import { FailureNotice } from './failure-notice.tsx';
import { JumpButton } from './jump-button.tsx';
import { Welcome, type WelcomeProps } from './welcome.tsx';

interface ConversationViewProps extends TurnActions, WelcomeProps {
  conversation: Conversation;
  /** The source that is open beside the conversation. */
  opened: { key: string; marker: number } | undefined;
  scroller: RefObject<HTMLDivElement | null>;
}

/** The turns of a conversation, or the welcome before the first question. */
export function ConversationView(props: ConversationViewProps) {
  const { conversation, opened, scroller, overview, language, onAsk, ...actions } = props;
  const texts = useMessages();
  const last = conversation.answers.at(-1);
  useTurnScroll(scroller, conversation);
  return (
    <div className="scroller" ref={scroller}>
      <div className="column" role="log" aria-live="polite" aria-relevant="additions text" data-testid="conversation">
        {conversation.failure !== undefined && (
          <FailureNotice failure={conversation.failure} title={texts.sessions.notOpened} />
        )}
        {conversation.opening && <p className="waiting">{texts.loading}</p>}
        {conversation.answers.length === 0 && !conversation.opening && (
          <Welcome overview={overview} language={language} onAsk={onAsk} />
        )}
        {conversation.answers.map((answer) => (
          <Turn
            key={answer.key}
            answer={answer}
            last={answer === last}
            openedMarker={opened?.key === answer.key ? opened.marker : undefined}
            onAsk={onAsk}
            {...actions}
          />
        ))}
      </div>
      {conversation.answers.length > 0 && <JumpButton scroller={scroller} />}
    </div>
  );
}
