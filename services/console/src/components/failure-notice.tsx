import { useEffect, useState } from 'react';
import { useMessages } from '../i18n/index.ts';
import { canRetry, type Failure } from '../state/failure.ts';
import { Notice } from './notice.tsx';

interface FailureNoticeProps {
  failure: Failure;
  /** Absent if a retry is not offered. */
  onRetry?: (() => void) | undefined;
  title?: string;
}

/** Shows why something failed and what to do, with a countdown if the server said when to retry. */
export function FailureNotice({ failure, onRetry, title }: FailureNoticeProps) {
  const texts = useMessages();
  const seconds = useCountdown(failure.retryAfterMs ?? 0);
  const { title: ownTitle, text } = texts.failures[failure.kind];
  const retry = onRetry !== undefined && canRetry(failure) && (
    <button type="button" className="button" disabled={seconds > 0} onClick={onRetry} data-testid="retry">
      {seconds > 0 ? texts.retryIn(seconds) : texts.retry}
    </button>
  );
  return (
    <Notice tone="error" title={title ?? ownTitle} testId="failure" actions={retry || undefined}>
      <p>{text}</p>
      {failure.message !== '' && failure.kind !== 'offline' && <p className="notice-detail">{failure.message}</p>}
    </Notice>
  );
}

/** Returns the whole seconds left, updated every second. */
function useCountdown(ms: number): number {
  const [left, setLeft] = useState(Math.ceil(ms / 1000));
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return left;
}
