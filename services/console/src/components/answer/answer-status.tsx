import { type Messages, useMessages } from '../../i18n/index.ts';
import type { Answer } from '../../state/ask.ts';

/** Announces the state of the last answer to screen readers. */
export function AnswerStatus({ answer }: { answer: Answer | undefined }) {
  const texts = useMessages();
  return (
    <p className="hidden" role="status" data-testid="status">
      {answer !== undefined && statusOf(answer, texts)}
    </p>
  );
}

function statusOf(answer: Answer, texts: Messages): string {
  switch (answer.phase) {
    case 'asking':
      return answer.sources.length > 0 ? texts.answer.reading(answer.sources.length) : texts.answer.searching;
    case 'writing':
      return '';
    case 'done':
      return answer.startedMs > 0 ? texts.answer.complete : '';
    case 'stopped':
      return texts.answer.stopped;
    case 'failed':
      return answer.failure === undefined ? '' : texts.failures[answer.failure.kind].title;
    default:
      return answer.phase satisfies never;
  }
}
