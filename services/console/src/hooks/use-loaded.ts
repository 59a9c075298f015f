import { type DependencyList, useEffect, useState } from 'react';
import { type Failure, failureOf } from '../state/failure.ts';

/** State of a fetch. */
export type Loaded<Value> =
  | { state: 'loading' }
  | { state: 'ready'; value: Value }
  | { state: 'failed'; failure: Failure };

/** Fetches at the mount and when a dependency changes. The fetch before is aborted. */
export function useLoaded<Value>(
  load: (signal: AbortSignal) => Promise<Value>,
  dependencies: DependencyList,
): Loaded<Value> {
  const [loaded, setLoaded] = useState<Loaded<Value>>({ state: 'loading' });
  useEffect(() => {
    const controller = new AbortController();
    setLoaded({ state: 'loading' });
    load(controller.signal).then(
      (value) => {
        if (!controller.signal.aborted) setLoaded({ state: 'ready', value });
      },
      (thrown: unknown) => {
        if (!controller.signal.aborted) setLoaded({ state: 'failed', failure: failureOf(thrown) });
      },
    );
    return () => controller.abort();
  }, dependencies);
  return loaded;
}
