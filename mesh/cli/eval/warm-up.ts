import { setTimeout } from 'node:timers/promises';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { MeshConnection } from '../connect.ts';

/** Time that a server gets to load the corpus into memory, so that every question is searched in the same way. */
const warmUpMs = 5000;

/** Searches a corpus for a while, so that it is in memory before questions are measured. */
export async function warmUp(mesh: MeshConnection, corpus: string, query: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < warmUpMs; waitedMs += warmUpMs / 5) {
    for await (const _ of mesh.client(RetrievalService).retrieve({ query, corpora: [corpus] }));
    await setTimeout(warmUpMs / 5);
  }
}
