import { AnswerOutcome, SentenceAction } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import { type Answer, stageName } from '../../state/ask.ts';
import { countReplaced } from '../../state/verdicts.ts';
import { FailureNotice } from '../failure-notice.tsx';
import { Icon } from '../icon.tsx';
import { Notice } from '../notice.tsx';

/** Everything that makes an answer incomplete or uncertain, shown below its text. */
export function AnswerNotices({ answer, onAskAgain }: { answer: Answer; onAskAgain?: (() => void) | undefined }) {
  const texts = useMessages();
  const again = onAskAgain !== undefined && (
    <button type="button" className="button" onClick={onAskAgain} data-testid="ask-again">
      <Icon name="again" size={16} /> {texts.answer.askAgain}
    </button>
  );
  const doubtful = (answer.done?.unsupportedClaims ?? []).filter(
    ({ action }) => action !== SentenceAction.QUOTE && action !== SentenceAction.WITHHOLD,
  );
  const replaced = countReplaced(answer.verdicts);
  const cutShort = answer.done && cutShortText(answer.done.outcome, texts.answer);
  return (
    <>
      {answer.phase === 'failed' && answer.failure !== undefined && (
        <FailureNotice failure={answer.failure} onRetry={onAskAgain} />
      )}
      {answer.phase === 'stopped' && (
        <Notice tone="plain" testId="stopped" actions={again || undefined}>
          <p>{answer.text === '' ? texts.answer.stoppedEmpty : texts.answer.stopped}</p>
        </Notice>
      )}
      {cutShort !== undefined && (
        <Notice tone="warning" testId="cut-short">
          <p>{cutShort}</p>
        </Notice>
      )}
      {doubtful.length > 0 && (
        <Notice tone="warning" testId="unsupported" title={texts.answer.unsupported}>
          {doubtful.map(({ start, end }) => (
            <p key={start}>{answer.text.slice(start, end)}</p>
          ))}
        </Notice>
      )}
      {replaced > 0 && (
        <Notice tone="warning" testId="replaced">
          <p>{texts.answer.replaced(replaced)}</p>
        </Notice>
      )}
      {answer.done?.degradations.map(({ stage, reason, effect }) => {
        const name = stageName(stage);
        return (
          <Notice key={`${stage}-${reason}`} tone="warning" testId="degradation" title={texts.degraded[name]}>
            <p>{[reason, effect].filter((part) => part !== '').join(' → ')}</p>
          </Notice>
        );
      })}
    </>
  );
}

function cutShortText(
  outcome: AnswerOutcome,
  texts: { length: string; filtered: string; truncated: string },
): string | undefined {
  if (outcome === AnswerOutcome.LENGTH) return texts.length;
  if (outcome === AnswerOutcome.FILTERED) return texts.filtered;
  if (outcome === AnswerOutcome.TRUNCATED) return texts.truncated;
  return undefined;
}
