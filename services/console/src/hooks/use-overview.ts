import { useEffect, useReducer, useState } from 'react';
import type { Api } from '../api.ts';
import { failureOf } from '../state/failure.ts';
import { fetchOverview, type Overview } from '../state/overview.ts';
import type { Loaded } from './use-loaded.ts';

/** Time between looks while there is nothing to ask yet: the first documents may just be on their way in. */
const emptyPollMs = 3000;

/** What there is to ask. Looked at again when the reader comes back to the page, and while there are no documents. */
export function useOverview(api: Api): Loaded<Overview> {
  const [overview, setOverview] = useState<Loaded<Overview>>({ state: 'loading' });
  const [look, lookAgain] = useReducer((count: number) => count + 1, 0);

  useEffect(() => {
    window.addEventListener('focus', lookAgain);
    return () => window.removeEventListener('focus', lookAgain);
  }, []);

  // Each look is a reason to fetch; what is shown stays until there is something newer.
  useEffect(() => {
    const controller = new AbortController();
    fetchOverview(api, controller.signal).then(
      (value) => {
        if (!controller.signal.aborted) setOverview({ state: 'ready', value });
      },
      (thrown: unknown) => {
        if (controller.signal.aborted) return;
        setOverview((now) => (now.state === 'ready' ? now : { state: 'failed', failure: failureOf(thrown) }));
      },
    );
    return () => controller.abort();
  }, [api, look]);

  const empty = overview.state === 'ready' && overview.value.corpora.every(({ documentCount }) => documentCount === 0n);
  useEffect(() => {
    if (!empty) return;
    const timer = setInterval(lookAgain, emptyPollMs);
    return () => clearInterval(timer);
  }, [empty]);

  return overview;
}
