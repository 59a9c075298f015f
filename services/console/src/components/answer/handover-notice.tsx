import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import type { Answer } from '../../state/ask.ts';
import { Notice } from '../notice.tsx';

interface HandoverNoticeProps {
  answer: Answer;
  /** Asks for a person; absent if that is not possible any more. */
  onRequest?: (() => void) | undefined;
}

/** How far the hand-over of a conversation to a person is. */
export function HandoverNotice({ answer, onRequest }: HandoverNoticeProps) {
  const texts = useMessages();
  const state = answer.handover?.state ?? HandoverState.UNSPECIFIED;
  switch (state) {
    case HandoverState.OFFERED:
      return (
        <Notice
          tone="plain"
          testId="handover-offered"
          title={texts.handover.offered}
          actions={
            onRequest !== undefined && (
              <button type="button" className="button" onClick={onRequest} data-testid="handover-request">
                {texts.handover.request}
              </button>
            )
          }
        >
          <p>{texts.handover.offeredText}</p>
        </Notice>
      );
    case HandoverState.WAITING:
      return (
        <Notice tone="plain" testId="handover-waiting" title={texts.handover.waiting}>
          <p>{texts.handover.waitingText}</p>
        </Notice>
      );
    case HandoverState.WITH_PERSON:
      return (
        <Notice tone="warning" testId="handover-with-person" title={texts.handover.withPerson}>
          <p>{texts.handover.withPersonText}</p>
        </Notice>
      );
    case HandoverState.RETURNED:
      return (
        <Notice tone="plain" testId="handover-returned" title={texts.handover.returned}>
          <p>{texts.handover.returnedText}</p>
        </Notice>
      );
    default:
      return null;
  }
}
