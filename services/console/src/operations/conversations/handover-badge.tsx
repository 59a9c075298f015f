import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';

/** How far a hand-over is; absent if there is none. */
export function HandoverBadge({ state }: { state: HandoverState }) {
  const texts = useOperationTexts();
  if (state === HandoverState.UNSPECIFIED) return null;
  const isOpen = state === HandoverState.WAITING || state === HandoverState.WITH_PERSON;
  return <Badge tone={isOpen ? 'warning' : 'plain'}>{texts.conversations.states[state]}</Badge>;
}
