import { type Answer, type AnswerUpdate, isSettled, updateAnswer } from './ask.ts';
import type { Failure } from './failure.ts';

/** The answers on the page: one session, or a new one. */
export interface Conversation {
  /** Empty before the first answer has started. */
  sessionId: string;
  answers: readonly Answer[];
  /** Whether a session is being fetched. */
  opening: boolean;
  /** Why the session could not be opened. */
  failure?: Failure;
}

/** An action on a conversation. */
export type ConversationAction =
  | { kind: 'asked'; answer: Answer }
  | { kind: 'updated'; key: string; updates: readonly AnswerUpdate[] }
  /** Removes a failed answer before its question is asked again. */
  | { kind: 'dropped'; key: string }
  | { kind: 'opening'; sessionId: string }
  | { kind: 'opened'; sessionId: string; answers: readonly Answer[] }
  | { kind: 'notOpened'; failure: Failure }
  | { kind: 'cleared' };

/** An empty conversation. */
export const emptyConversation: Conversation = { sessionId: '', answers: [], opening: false };

/** Returns the conversation after an action. */
export function updateConversation(conversation: Conversation, action: ConversationAction): Conversation {
  switch (action.kind) {
    case 'asked':
      return { ...conversation, answers: [...conversation.answers, action.answer] };
    case 'updated': {
      const index = conversation.answers.findIndex(({ key }) => key === action.key);
      const before = conversation.answers[index];
      if (before === undefined) return conversation; // another session was opened meanwhile
      const answer = action.updates.reduce(updateAnswer, before);
      return {
        ...conversation,
        sessionId: answer.sessionId || conversation.sessionId,
        answers: conversation.answers.with(index, answer),
      };
    }
    case 'dropped':
      return { ...conversation, answers: conversation.answers.filter(({ key }) => key !== action.key) };
    case 'opening':
      return { sessionId: action.sessionId, answers: [], opening: true };
    case 'opened':
      return { sessionId: action.sessionId, answers: action.answers, opening: false };
    case 'notOpened':
      return { ...emptyConversation, failure: action.failure };
    case 'cleared':
      return emptyConversation;
    default:
      return action satisfies never;
  }
}

/** Reports whether an answer is in progress. */
export function isBusy(conversation: Conversation): boolean {
  const last = conversation.answers.at(-1);
  return last !== undefined && !isSettled(last);
}
