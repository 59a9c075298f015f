import { useEffect, useReducer, useState } from 'react';
import type { Api } from '../api.ts';
import { failureOf } from '../state/failure.ts';
import { fetchOverview, type Overview } from '../state/overview.ts';
import type { Loaded } from './use-loaded.ts';

/** Interval of fetching while there are no documents: the first ones may be in an indexing job. */
const emptyPollMs = 3000;

/** Fetches the overview, and again when the user returns to the page or while there are no documents. */
export function useOverview(api: Api): Loaded<Overview> {
  const [overview, setOverview] = useState<Loaded<Overview>>({ state: 'loading' });
  const [look, lookAgain] = useReducer((count: number) => count + 1, 0);

  useEffect(() => {
    window.addEventListener('focus', lookAgain);
    return () => window.removeEventListener('focus', lookAgain);
  }, []);

  // Each change of the count fetches again; the old overview stays until the new one arrives.
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
