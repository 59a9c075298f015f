import type { UseInfiniteQueryResult, UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { FailureNotice } from '../../components/failure-notice.tsx';
import { failureOf } from '../../state/failure.ts';
import { useOperationTexts } from '../i18n/index.ts';

interface ReplyProps<Value> {
  query: UseQueryResult<Value, Error> | UseInfiniteQueryResult<Value, Error>;
  children: (value: Value) => ReactNode;
}

/** What a query has returned; while it waits, a line that says so, and why it failed if it did. */
export function Reply<Value>({ query, children }: ReplyProps<Value>) {
  const texts = useOperationTexts();
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null) return <FailureNotice failure={failureOf(query.error)} onRetry={() => query.refetch()} />;
  return (
    <p className="waiting" role="status">
      {texts.loading}
    </p>
  );
}

/** Why an action failed; absent if it did not. */
export function ActionFailure({ error }: { error: Error | null }) {
  return error === null ? null : <FailureNotice failure={failureOf(error)} />;
}
