import { createClient } from '@connectrpc/connect';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { type EvaluationRun, EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Api } from '../../api.ts';

/** What a run changes. */
export const changes = ['rerank', 'vector', 'keyword', 'version'] as const;
export type Change = (typeof changes)[number];

/** What is compared. */
export interface Wanted {
  dataSet: string;
  /** Empty: all. */
  corpus: string;
  change: Change;
  /** Number of a version, for that change. */
  version: string;
}

const timeoutMs = 3_600_000;

/** A comparison that runs, or its result. */
export function useComparison(api: Api) {
  const queries = useQueryClient();
  const [progress, setProgress] = useState<{ done: number; total: number }>();
  const [run, setRun] = useState<EvaluationRun>();
  const [error, setError] = useState<Error | null>(null);
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (wanted: Wanted) => {
    const controller = new AbortController();
    running.current = controller;
    setProgress({ done: 0, total: 0 });
    setRun(undefined);
    setError(null);
    try {
      const client = createClient(EvaluationService, api.transport);
      const events = client.runEvaluation(requestOf(wanted), { signal: controller.signal, timeoutMs });
      for await (const { event } of events) {
        if (event.case === 'progress') setProgress({ done: event.value.doneCount, total: event.value.totalCount });
        if (event.case === 'run') setRun(event.value);
      }
      await queries.invalidateQueries();
    } catch (thrown) {
      if (!controller.signal.aborted) setError(thrown as Error);
    } finally {
      setProgress(undefined);
    }
  };
  return { progress, run, error, start, stop: () => running.current?.abort() };
}

/** Returns the request of a comparison: the live versions, with the change as their variant. */
export function requestOf({ dataSet, corpus, change, version }: Wanted) {
  // Each question replaces the query.
  const live = { query: dataSet, corpora: corpus === '' ? [] : [corpus], waitForStages: true };
  const changed = {
    version: { ...live, versions: [{ corpus, version: BigInt(version || '0') }] },
    rerank: { ...live, rerank: false },
    vector: { ...live, legs: [Leg.KEYWORD] },
    keyword: { ...live, legs: [Leg.VECTOR] },
  }[change];
  return { dataSet, template: live, variants: [{ name: change, template: changed }], withQuestions: true };
}
