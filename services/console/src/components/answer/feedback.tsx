import { type FormEvent, useId, useState } from 'react';
import { FeedbackReason, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import { Icon } from '../icon.tsx';

interface FeedbackProps {
  /** Saves a rating. Throws if it fails. */
  onRate: (rating: Rating, comment: string, reasons: FeedbackReason[]) => Promise<void>;
}

/** The reasons, in the order of the page. */
const reasonNames = {
  wrong: FeedbackReason.WRONG,
  incomplete: FeedbackReason.INCOMPLETE,
  outdated: FeedbackReason.OUTDATED,
  notUnderstood: FeedbackReason.NOT_UNDERSTOOD,
  tone: FeedbackReason.TONE,
} as const;

/** Two rating buttons, and reasons and a field for a comment after a negative rating. */
export function Feedback({ onRate }: FeedbackProps) {
  const texts = useMessages();
  const [rating, setRating] = useState<Rating>(Rating.UNSPECIFIED);
  const [state, setState] = useState<'open' | 'commenting' | 'thanked' | 'failed'>('open');
  const [comment, setComment] = useState('');
  const [reasons, setReasons] = useState<readonly FeedbackReason[]>([]);
  const commentId = useId();

  const rate = async (chosen: Rating, words: string, isExplained = false) => {
    setRating(chosen);
    try {
      await onRate(chosen, words, [...reasons]);
      setState(chosen === Rating.DOWN && !isExplained ? 'commenting' : 'thanked');
    } catch {
      setRating(Rating.UNSPECIFIED);
      setState('failed'); // shown below; the buttons stay usable
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (comment.trim() === '' && reasons.length === 0) setState('thanked');
    else void rate(Rating.DOWN, comment.trim(), true);
  };
  const thumb = (value: Rating, name: 'up' | 'down') => (
    <button
      type="button"
      className="icon-button"
      aria-label={texts.feedback[name]}
      title={texts.feedback[name]}
      aria-pressed={rating === value}
      onClick={() => void rate(value, '')}
      data-testid={`feedback-${name}`}
    >
      <Icon name={name} size={17} />
    </button>
  );

  return (
    <>
      {thumb(Rating.UP, 'up')}
      {thumb(Rating.DOWN, 'down')}
      <span className="feedback-state" role="status">
        {state === 'thanked' && texts.feedback.thanks}
        {state === 'failed' && texts.feedback.failed}
      </span>
      {state === 'commenting' && (
        <form className="feedback-comment" onSubmit={submit}>
          <fieldset className="feedback-reasons">
            <legend className="hidden">{texts.feedback.reasons.title}</legend>
            {(Object.keys(reasonNames) as (keyof typeof reasonNames)[]).map((name) => (
              <label key={name}>
                <input
                  type="checkbox"
                  checked={reasons.includes(reasonNames[name])}
                  onChange={({ target }) => setReasons(toggled(reasons, reasonNames[name], target.checked))}
                  data-testid={`reason-${name}`}
                />{' '}
                {texts.feedback.reasons[name]}
              </label>
            ))}
          </fieldset>
          <label htmlFor={commentId} className="hidden">
            {texts.feedback.comment}
          </label>
          <input
            id={commentId}
            maxLength={4096}
            placeholder={texts.feedback.comment}
            value={comment}
            onChange={(event) => setComment(event.target.value)}
          />
          <button type="submit" className="button">
            {texts.feedback.send}
          </button>
        </form>
      )}
    </>
  );
}

function toggled(reasons: readonly FeedbackReason[], reason: FeedbackReason, isOn: boolean): readonly FeedbackReason[] {
  const others = reasons.filter((each) => each !== reason);
  return isOn ? [...others, reason] : others;
}
