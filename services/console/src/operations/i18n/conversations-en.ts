import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';

/** The texts of conversations in English. */
export const conversationsEn = {
  title: 'Conversations',
  search: 'Words of a question',
  rating: 'Rating',
  ratings: { all: 'Any rating', down: 'Rated down' },
  views: { all: 'All', queue: 'Waiting for a person' },
  columns: { title: 'Conversation', turns: 'Turns', handover: 'Hand-over', last: 'Last' },
  states: {
    [HandoverState.OFFERED]: 'Person offered',
    [HandoverState.WAITING]: 'Waiting',
    [HandoverState.WITH_PERSON]: 'With a person',
    [HandoverState.RETURNED]: 'Returned',
  } as Record<number, string>,
  none: 'No conversations',
  noneText: 'Sessions of all users are listed here, with personal data masked as the policy of the tenant says.',
  noneWait: 'No one waits',
  noneWaitText: 'Users who want a person, or whom the assistant has passed on, appear here.',
  accept: 'Accept',
  giveBack: 'Return to the assistant',
  reply: 'Your reply',
  send: 'Send',
  assistant: (user: string) => `Assistant to ${user}`,
  made: 'How it was made',
  cache: 'Cache',
  passages: 'Passages',
  degraded: 'Left out',
  auditEntry: 'Entry in the audit',
  answerId: 'Answer id',
};

/** The texts of conversations, by key. */
export type ConversationTexts = typeof conversationsEn;
