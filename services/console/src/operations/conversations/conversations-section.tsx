import type { SectionProps } from '../section.ts';
import { ConversationList } from './conversation-list.tsx';
import { ConversationPage } from './conversation-page.tsx';

/** `/conversations/<view>` or `/conversations/session/<id>`: sessions of all users, those that wait for a person, and one of them. */
export function ConversationsSection({ parts }: SectionProps) {
  const [name, sessionId] = parts;
  if (name === 'session' && sessionId !== undefined) return <ConversationPage key={sessionId} sessionId={sessionId} />;
  return <ConversationList isQueue={name === 'queue'} key={name ?? 'all'} />;
}
