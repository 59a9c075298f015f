import type { Client } from '@connectrpc/connect';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { ownTurn } from '#kit/base/own-turn.ts';
import { everyone, grantedGroups } from '#kit/rpc/access.ts';
import type { Caller, OnBehalfOf } from '../../jobs/run/caller.ts';
import { createIndexClient, type IndexWriter, revisionOf } from '../../jobs/run/index-client.ts';
import type { AnswerDeps } from '../answers.ts';
import type { DocumentSource, DocumentStore } from '../document-store.ts';
import { createContradictionCheck } from './contradictions.ts';
import { createDateCheck } from './dates.ts';
import { createDuplicateCheck } from './duplicates.ts';
import type { CheckedDocument, Finding } from './finding.ts';
import { type CorpusUse, createUseCheck, readUse } from './use.ts';

/** What is known of a corpus at one revision. */
export interface CorpusHealth {
  revision: string;
  findings: readonly Finding[];
  documentCount: number;
  chunkCount: number;
  isPartial: boolean;
  checkedAtMs: number;
  /** How answers used it; `undefined` if that could not be read. */
  use: Pick<CorpusUse, 'sinceMs' | 'answerCount'> | undefined;
}

/** What checking a corpus needs. */
export interface HealthDeps extends AnswerDeps {
  documents: DocumentStore;
  indexWriter: IndexWriter;
  retrieval: Pick<Client<typeof RetrievalService>, 'listCorpora'>;
  caller: Caller;
  /** Returns the time in milliseconds since 1970. */
  clock: () => number;
  log: Logger;
}

/** Chunks that a check reads. */
const chunksMax = 50_000;
const documentsOfPage = 100;
/** Corpora whose health is kept. */
const keptMax = 8;
/** Use changes without a new revision. */
const keptMs = 15 * 60_000;

/**
 * Returns the health of a corpus: the kept one if its revision has not changed, or if `allowEarlier` says that it need not be that of the live
 * version. Calls at the same time share one check.
 */
export type CheckCorpus = (
  who: OnBehalfOf,
  corpus: string,
  signal: AbortSignal,
  allowEarlier?: boolean,
) => Promise<CorpusHealth | undefined>;

/** Creates the check of corpora. */
export function createCheckCorpus(deps: HealthDeps): CheckCorpus {
  const kept = new Map<string, { revision: string; sinceMs: number; health: Promise<CorpusHealth> }>();
  return async (who, corpus, signal, allowEarlier = false) => {
    const revision = await revisionOf(deps.retrieval, corpus, await deps.caller.asService(who, signal));
    if (revision === '') return undefined;
    const key = JSON.stringify([who.tenant, corpus]);
    const known = kept.get(key);
    const nowMs = deps.clock();
    const isRecent = known !== undefined && nowMs - known.sinceMs < keptMs;
    if (isRecent && (allowEarlier || known.revision === revision)) return known.health;
    // Not with the signal of this call: another one may wait for the same check. It is bounded by what it reads.
    const health = check(deps, who, corpus, revision);
    kept.delete(key);
    kept.set(key, { revision, sinceMs: nowMs, health });
    for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - keptMax))) kept.delete(oldest);
    health.catch(() => kept.delete(key));
    return health;
  };
}

async function check(deps: HealthDeps, who: OnBehalfOf, corpus: string, revision: string): Promise<CorpusHealth> {
  const { documents, clock } = deps;
  const scope = { tenant: who.tenant, corpus };
  const index = createIndexClient(deps.indexWriter, corpus, () => deps.caller.asService(who));
  const use = await useOf(deps, who, corpus);
  const checks = [
    createContradictionCheck(),
    createDateCheck(clock()),
    ...(use === undefined ? [] : [createUseCheck(use)]),
    createDuplicateCheck(),
  ];
  let documentCount = 0;
  let chunkCount = 0;
  let ids: string[] = [];
  const readPage = async () => {
    const live = await index.entries(0n, ids);
    ids = [];
    const contents = [...live].map(([documentId, { contentHash }]) => ({ documentId, contentHash }));
    for (const source of (await documents.sources(scope, contents)).values()) {
      const groups = grantedGroups(live.get(source.documentId)?.access).filter((group) => group !== everyone);
      const document = toChecked(source, groups);
      documentCount++;
      chunkCount += document.chunks.length;
      await ownTurn();
      for (const one of checks) one.add(document);
    }
  };
  let isPartial = false;
  for await (const { documentId } of index.liveEntries()) {
    isPartial = chunkCount >= chunksMax;
    if (isPartial) break;
    ids.push(documentId);
    if (ids.length === documentsOfPage) await readPage();
  }
  if (!isPartial && ids.length > 0) await readPage();
  const findings = checks.flatMap((one) => one.findings());
  return { revision, findings, documentCount, chunkCount, isPartial, checkedAtMs: clock(), use };
}

/** Reads how answers used a corpus; `undefined` if the services that know are not there, which takes nothing from the other findings. */
async function useOf(deps: HealthDeps, who: OnBehalfOf, corpus: string): Promise<CorpusUse | undefined> {
  try {
    return await readUse(deps, corpus, deps.clock(), () => deps.caller.asAuditor(who));
  } catch (error) {
    deps.log.warn({ event: 'health_use_unknown', tenant: who.tenant, corpus, err: error }, 'use of documents unknown');
    return undefined;
  }
}

/** Returns a document as readers get it. One that people have changed is one chunk. */
function toChecked(source: DocumentSource, groups: string[]): CheckedDocument {
  const { documentId, attributes, current, chunks, indexedAtMs } = source;
  const { title, text, isChanged } = current;
  const texts = isChanged || chunks === undefined ? [text] : chunks.map(({ start, end }) => text.slice(start, end));
  return { documentId, title, attributes, groups, chunks: texts, indexedAtMs };
}
