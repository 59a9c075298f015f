import { useCallback, useEffect, useReducer, useRef } from 'react';
import type { Api } from '../api.ts';
import { type Answer, answerFromTurn, startAnswer } from '../state/ask.ts';
import { type Conversation, emptyConversation, isBusy, updateConversation } from '../state/conversation.ts';
import { failureOf } from '../state/failure.ts';
import { streamAnswer } from '../state/stream-answer.ts';

/** Corpora and model of a question. */
export interface Scope {
  /** Empty: all. */
  corpora: readonly string[];
  /** Empty: the default one. */
  model: string;
}

/** How a question is asked. */
export interface AskOptions {
  bypassCache?: boolean;
  /** A decision about the call of a tool that waits; the question is what the user says to it. */
  toolDecision?: { callId: string; approved: boolean };
}

/** A conversation and the actions on it. */
export interface ConversationControl {
  conversation: Conversation;
  /** Asks in the session. Ignored while an answer is in progress. */
  ask(question: string, scope: Scope, options?: AskOptions): void;
  /** Asks a question again whose answer failed or was stopped, and removes that answer. */
  askAgain(answer: Answer, scope: Scope): void;
  stop(): void;
  open(sessionId: string): void;
  clear(): void;
}

/** Holds a conversation. `onSettled` is called after each answer. */
export function useConversation(api: Api, onSettled: () => void): ConversationControl {
  const [conversation, dispatch] = useReducer(updateConversation, emptyConversation);
  const running = useRef<AbortController>(undefined);
  const askedCount = useRef(0);
  useEffect(() => () => running.current?.abort(), []);

  const begin = () => {
    running.current?.abort();
    running.current = new AbortController();
    return running.current.signal;
  };

  const ask = (question: string, scope: Scope, { bypassCache = false, toolDecision }: AskOptions = {}) => {
    if (isBusy(conversation)) return;
    const signal = begin();
    const { sessionId } = conversation;
    askedCount.current += 1;
    const answer = startAnswer(`asked-${askedCount.current}`, question, sessionId, performance.now());
    dispatch({ kind: 'asked', answer });
    const request = {
      question,
      sessionId,
      createSession: true,
      corpora: [...scope.corpora],
      model: scope.model,
      bypassCache,
      ...(toolDecision && { toolDecision }),
    };
    void streamAnswer(api.chat, request, signal, (updates) => {
      dispatch({ kind: 'updated', key: answer.key, updates });
      if (updates.at(-1)?.kind !== 'response') onSettled();
    });
  };

  const open = useCallback(
    (sessionId: string) => {
      running.current?.abort();
      running.current = new AbortController();
      const { signal } = running.current;
      dispatch({ kind: 'opening', sessionId });
      api.chat.getSession({ sessionId }, { signal }).then(
        ({ turns }) => {
          if (signal.aborted) return;
          dispatch({ kind: 'opened', sessionId, answers: turns.map((turn) => answerFromTurn(turn, sessionId)) });
        },
        (thrown: unknown) => {
          if (!signal.aborted) dispatch({ kind: 'notOpened', failure: failureOf(thrown) });
        },
      );
    },
    [api],
  );

  return {
    conversation,
    ask,
    askAgain(answer, scope) {
      if (isBusy(conversation)) return;
      dispatch({ kind: 'dropped', key: answer.key });
      ask(answer.question, scope);
    },
    stop: () => running.current?.abort(),
    open,
    clear() {
      running.current?.abort();
      dispatch({ kind: 'cleared' });
    },
  };
}
