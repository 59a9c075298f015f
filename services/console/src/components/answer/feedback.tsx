import { type FormEvent, useId, useState } from 'react';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import { Icon } from '../icon.tsx';

interface FeedbackProps {
  /** Saves a rating. Throws if it fails. */
  onRate: (rating: Rating, comment: string) => Promise<void>;
}

/** Two rating buttons, and a field for a comment after a negative rating. */
export function Feedback({ onRate }: FeedbackProps) {
  const texts = useMessages();
  const [rating, setRating] = useState<Rating>(Rating.UNSPECIFIED);
  const [state, setState] = useState<'open' | 'commenting' | 'thanked' | 'failed'>('open');
  const [comment, setComment] = useState('');
  const commentId = useId();

  const rate = async (chosen: Rating, words: string) => {
    setRating(chosen);
    try {
      await onRate(chosen, words);
      setState(chosen === Rating.DOWN && words === '' ? 'commenting' : 'thanked');
    } catch {
      setRating(Rating.UNSPECIFIED);
      setState('failed'); // shown below; the buttons stay usable
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (comment.trim() === '') setState('thanked');
    else void rate(Rating.DOWN, comment.trim());
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
