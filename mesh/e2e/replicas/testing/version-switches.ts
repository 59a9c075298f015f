import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { IndexerService, type Job } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexAdminService, VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { askWhole } from '../../testing/whole-mesh.ts';
import type { Replicas, Tenant } from './replicas.ts';
import { uploadMessages } from './upload-messages.ts';

/** What the caller of a tenant that switches versions works with. */
export interface SwitchParts {
  replicas: Replicas;
  random: () => number;
  /** Runs a call. Returns `undefined` if it ended without an acknowledgement, as a client may expect. */
  attempt<T>(what: string, call: () => Promise<T>): Promise<T | undefined>;
  /** Resolves to the job of an upload that has succeeded, or to `undefined`. */
  jobEnds(tenant: Tenant, jobId: string): Promise<Job | undefined>;
  /** Reports what must not be. */
  onProblem(problem: string): void;
}

const corpus = 'editions';

/**
 * Returns the one caller that changes a corpus of its tenant: `step` uploads another text of the same document, which makes a new version,
 * or rolls back to a version that is kept. Then it asks, and the answer must state what the version states that was acknowledged last.
 */
export function createVersionSwitches({ replicas, random, attempt, jobEnds, onProblem }: SwitchParts, tenant: Tenant) {
  const id = `${tenant}-edition`;
  const anyEdge = () => Math.floor(random() * 2);
  const admin = () => replicas.client(IndexAdminService, tenant, anyEdge());
  /** The amount that each version states, of those that an upload of this caller has made. */
  const amounts = new Map<bigint, number>();
  /** Amounts of changes without an acknowledgement: each may be made still, at any time. */
  const unsure = new Set<number>();
  let current: number | undefined;
  let rollbackCount = 0;

  async function upload(): Promise<void> {
    const amount = 1000 + Math.floor(random() * 1e6);
    unsure.add(amount);
    const accepted = await attempt('upload edition', () =>
      replicas.client(IndexerService, tenant, anyEdge()).ingestDocuments(uploadMessages(corpus, id, amount)),
    );
    const job = accepted && (await jobEnds(tenant, accepted.jobId));
    if (job === undefined) return;
    unsure.delete(amount);
    current = amount;
    amounts.set(job.version, amount);
  }

  async function rollBack(): Promise<void> {
    const listed = await attempt('versions', () => admin().listVersions({ corpus }));
    const kept = (listed?.versions ?? []).filter(
      ({ state, version }) => state === VersionState.KEPT && amounts.has(version),
    );
    const target = kept[Math.floor(random() * kept.length)];
    if (target === undefined) return upload();
    const amount = amounts.get(target.version) as number;
    unsure.add(amount);
    const reply = await attempt('rollback', () => admin().rollbackVersion({ corpus, version: target.version }));
    if (reply === undefined) return;
    unsure.delete(amount);
    current = amount;
    rollbackCount++;
  }

  async function ask(): Promise<void> {
    const question = `What is the fee of rule ${id}?`;
    const answer = await attempt('ask edition', () =>
      askWhole(replicas.client(ChatService, tenant, anyEdge()), { question, corpora: [corpus] }),
    );
    const isCited = answer?.citations.some(({ documentId }) => documentId === id) === true;
    if (answer === undefined || !isCited || answer.done.outcome !== AnswerOutcome.ANSWERED) return;
    const allowed = [current ?? 0, ...unsure];
    if (!allowed.some((amount) => answer.text.includes(String(amount))))
      onProblem(`${id}: ${allowed.join(' or ')} expected: ${answer.text}`);
  }

  return {
    async step(): Promise<void> {
      await (current === undefined || random() < 0.5 ? upload() : rollBack());
      if (current === undefined) return;
      for (let count = 0; count < 3; count++) await ask();
    },
    /** Returns the rollbacks that were acknowledged. */
    rollbackCount: () => rollbackCount,
  };
}
