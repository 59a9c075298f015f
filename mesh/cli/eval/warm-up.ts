import { setTimeout } from 'node:timers/promises';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { MeshConnection } from '../connect.ts';

/** Longest wait for a server whose stages are not ready yet, in milliseconds. */
const longestMs = 30_000;
/** Time between two searches, in milliseconds. */
const pauseMs = 500;
/** Searches in a row that must be whole. */
const wholeSearches = 4;

/** Searches a corpus until every stage takes part, so that the corpus is in memory and models are loaded before questions are measured. */
export async function warmUp(mesh: MeshConnection, corpus: string, query: string): Promise<void> {
  const endMs = performance.now() + longestMs;
  for (let whole = 0; whole < wholeSearches && performance.now() < endMs; ) {
    for await (const { event } of mesh.client(RetrievalService).retrieve({ query, corpora: [corpus] })) {
      if (event.case === 'fused') whole = event.value.degradations.length === 0 ? whole + 1 : 0;
    }
    await setTimeout(pauseMs);
  }
}
