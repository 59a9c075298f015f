import { Code, ConnectError } from '@connectrpc/connect';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { askWhole } from '../../testing/whole-mesh.ts';
import { type Replicas, type Tenant, tenants } from './replicas.ts';
import { uploadMessages } from './upload-messages.ts';
import { createVersionSwitches } from './version-switches.ts';

// A random load of uploads, new texts, deletes, rollbacks, asks and feedback, and the model of what must be true afterwards.

/** A document as the load knows it. `unsure`: a call about it ended without an acknowledgement, so either outcome is right. */
interface Doc {
  id: string;
  /** The number that its text states, in the latest upload whose job has succeeded. */
  amount: number;
  state: 'live' | 'deleted' | 'unsure';
}

/** What the load has had acknowledged. */
interface TenantRecord {
  docs: Map<string, Doc>;
  /** Ids of answers that ended with `done`. */
  answerIds: string[];
  sessions: { id: string; questions: string[] }[];
  jobIds: string[];
}

/** What a load has done. */
export interface LoadReport {
  answerCount: number;
  uploadCount: number;
  deleteCount: number;
  /** Rollbacks of versions. */
  rollbackCount: number;
  /** What did not go well, by kind; all of it is what a client can expect: codes to retry, and declared degradations. */
  failures: ReadonlyMap<string, number>;
}

/** Codes after which a client may try again. `Canceled`: how connect-node reports a connection that ended under a call. */
const retryable = new Set([
  ...[Code.Unavailable, Code.ResourceExhausted, Code.Aborted, Code.DeadlineExceeded],
  Code.Canceled,
]);

const corpus = 'rules';

/** Returns a random load over the replicas. */
export function createLoad(replicas: Replicas, random: () => number) {
  const records = new Map<Tenant, TenantRecord>(
    tenants.map((tenant) => [tenant, { docs: new Map(), answerIds: [], sessions: [], jobIds: [] }]),
  );
  const failures = new Map<string, number>();
  const problems: string[] = [];
  let nextDoc = 0;
  let uploadCount = 0;
  let deleteCount = 0;
  const pick = <T>(values: readonly T[]): T | undefined => values[Math.floor(random() * values.length)];
  const anyEdge = () => Math.floor(random() * 2);
  const recordOf = (tenant: Tenant) => records.get(tenant) as TenantRecord;

  const count = (key: string) => failures.set(key, (failures.get(key) ?? 0) + 1);

  /** Runs a call. Returns `undefined` if it ended with an error that a client may retry; any other error is a problem. */
  async function attempt<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      const key = `${what}: ${Code[code]}`;
      count(key);
      if (!retryable.has(code)) problems.push(`${key}: ${rawMessage}`);
      return undefined;
    }
  }

  /** Uploads a document, new or with another amount, and waits for its job. */
  async function upload(tenant: Tenant, doc: Doc | undefined): Promise<void> {
    const id = doc?.id ?? `${tenant}-${++nextDoc}`;
    const amount = 1000 + Math.floor(random() * 1e6);
    const { docs, jobIds } = recordOf(tenant);
    if (doc === undefined) docs.set(id, { id, amount, state: 'unsure' });
    else doc.state = 'unsure';
    const job = await attempt('upload', () => {
      const indexer = replicas.client(IndexerService, tenant, anyEdge());
      return indexer.ingestDocuments(uploadMessages(corpus, id, amount));
    });
    if (job === undefined) return;
    uploadCount++;
    jobIds.push(job.jobId);
    if (await jobEnds(tenant, job.jobId)) docs.set(id, { id, amount, state: 'live' });
  }

  /** Resolves to the job that has succeeded. An acknowledged upload is never lost, so a job that failed is a problem. */
  async function jobEnds(tenant: Tenant, jobId: string): Promise<Job | undefined> {
    for (let round = 0; round < 2400; round++) {
      const found = await attempt('job', () => replicas.client(IndexerService, tenant, anyEdge()).getJob({ jobId }));
      if (found?.job?.state === JobState.SUCCEEDED) return found.job;
      if (found?.job?.state === JobState.FAILED) {
        problems.push(`job ${jobId} failed: ${found.job.error}`);
        return undefined;
      }
      await sleep(50);
    }
    problems.push(`job ${jobId} did not end`);
    return undefined;
  }

  async function remove(tenant: Tenant, doc: Doc): Promise<void> {
    doc.state = 'unsure';
    const reply = await attempt('delete', () =>
      replicas.client(IndexerService, tenant, anyEdge()).deleteDocuments({ corpus, documentIds: [doc.id] }),
    );
    if (reply === undefined) return;
    deleteCount++;
    doc.state = 'deleted';
    // A delete that was sent twice, because its first reply was lost on the way, finds nothing.
    if (reply.documentCount > 1n) problems.push(`the deletion of ${doc.id} removed ${reply.documentCount} documents`);
  }

  /** Asks for the amount of a document; compares the answer with what was acknowledged before the question. */
  async function ask(tenant: Tenant, doc: Doc, session: TenantRecord['sessions'][number] | undefined): Promise<void> {
    const before = { ...doc };
    const question = `What is the fee of rule ${doc.id}?`;
    const answer = await attempt('ask', () =>
      askWhole(replicas.client(ChatService, tenant, anyEdge()), {
        question,
        corpora: [corpus],
        sessionId: session?.id ?? '',
        createSession: session === undefined && random() < 0.3,
      }),
    );
    if (answer === undefined) return;
    const { answerId, sessionId, outcome, degradations } = answer.done;
    const { answerIds, sessions, docs } = recordOf(tenant);
    // An answer that says that it was not recorded acknowledges no record.
    const isMissing = (stage: Stage) => degradations.some((degradation) => degradation.stage === stage);
    if (isMissing(Stage.AUDIT)) count('ask: not in the audit, as declared');
    else answerIds.push(answerId);
    if (isMissing(Stage.SESSION)) count('ask: not in the session, as declared');
    else if (session !== undefined) session.questions.push(question);
    else if (sessionId !== '') sessions.push({ id: sessionId, questions: [question] });
    for (const { documentId } of [...answer.citations, ...answer.sources]) {
      if (!documentId.startsWith(`${tenant}-`)) problems.push(`${tenant} was shown ${documentId}`);
    }
    const cited = answer.citations.some(({ documentId }) => documentId === doc.id);
    if (before.state === 'deleted' && cited) problems.push(`${doc.id} was cited after its deletion was acknowledged`);
    const isUnchanged = docs.get(doc.id)?.state === 'live' && docs.get(doc.id)?.amount === before.amount;
    if (before.state === 'live' && isUnchanged && cited && outcome === AnswerOutcome.ANSWERED) {
      if (!answer.text.includes(String(before.amount)))
        problems.push(`${doc.id}: ${before.amount} expected: ${answer.text}`);
    }
    if (random() < 0.2 && !isMissing(Stage.SESSION)) {
      await attempt('feedback', () =>
        replicas.client(ChatService, tenant, anyEdge()).submitFeedback({ answerId, rating: Rating.UP }),
      );
    }
  }

  async function step(tenant: Tenant, session: TenantRecord['sessions'][number] | undefined): Promise<void> {
    const docs = [...recordOf(tenant).docs.values()];
    const live = docs.filter(({ state }) => state === 'live');
    const choice = random();
    if (live.length < 3 || choice < 0.1) return upload(tenant, undefined);
    if (choice < 0.15) return upload(tenant, pick(live));
    if (choice < 0.22) return remove(tenant, pick(live) as Doc);
    return ask(tenant, pick(docs.filter(({ state }) => state !== 'unsure')) as Doc, session);
  }

  return {
    /** Runs callers until `isDone`; each keeps one session in turn. */
    async run(callersOfTenant: number, isDone: () => boolean): Promise<LoadReport> {
      const callers = tenants.flatMap((tenant) =>
        Array.from({ length: callersOfTenant }, async () => {
          // Until there is an answer, however slow the machine is.
          while (!isDone() || recordOf(tenant).answerIds.length === 0) {
            const { sessions } = recordOf(tenant);
            const own = random() < 0.3 ? sessions.pop() : undefined;
            await step(tenant, own);
            if (own !== undefined) sessions.push(own);
            await sleep(5);
          }
        }),
      );
      const switches = tenants.map((tenant) => {
        const onProblem = (problem: string) => void problems.push(problem);
        return createVersionSwitches({ replicas, random, attempt, jobEnds, onProblem }, tenant);
      });
      const switching = switches.map(async (each) => {
        // At least once, however slow the machine is.
        while (!isDone() || each.rollbackCount() === 0) await each.step();
      });
      await Promise.all([...callers, ...switching]);
      const rollbackCount = switches.reduce((sum, each) => sum + each.rollbackCount(), 0);
      const answerCount = [...records.values()].reduce((sum, { answerIds }) => sum + answerIds.length, 0);
      return { answerCount, uploadCount, deleteCount, rollbackCount, failures };
    },
    /** Compares everything that was acknowledged with what the replicas hold now. Returns what is wrong. */
    async check(): Promise<string[]> {
      for (const tenant of tenants) {
        const { docs, answerIds, sessions } = recordOf(tenant);
        problems.push(...(await checkDocuments(replicas, tenant, docs)));
        problems.push(...(await checkAudit(replicas, tenant, answerIds)));
        problems.push(...(await checkSessions(replicas, tenant, sessions)));
      }
      return problems;
    },
  };
}

async function checkDocuments(replicas: Replicas, tenant: Tenant, docs: ReadonlyMap<string, Doc>): Promise<string[]> {
  const problems: string[] = [];
  const counts = new Map<string, number>();
  const indexer = replicas.client(IndexerService, tenant, 0);
  let pageToken = '';
  do {
    const page = await indexer.listDocuments({ corpus, pageSize: 200, pageToken });
    for (const { documentId } of page.documents) counts.set(documentId, (counts.get(documentId) ?? 0) + 1);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  for (const [id, { state }] of docs) {
    const count = counts.get(id) ?? 0;
    if (count > 1) problems.push(`${id} is there ${count} times`);
    if (state === 'live' && count === 0) problems.push(`${id} is lost`);
    if (state === 'deleted' && count > 0) problems.push(`${id} is there after its deletion`);
  }
  return problems;
}

async function checkAudit(replicas: Replicas, tenant: Tenant, answerIds: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  const audit = replicas.client(AuditService, tenant, 1);
  const chain = await audit.verifyChain({});
  if (!chain.intact) problems.push(`${tenant}: the chain is broken at ${chain.firstBadSequence}`);
  const counts = new Map<string, number>();
  let beforeSequence = 0n;
  for (;;) {
    let last = 0n;
    for await (const { entry } of audit.queryAudit({ limit: 1000, beforeSequence })) {
      const id = entry?.record?.answerId ?? '';
      counts.set(id, (counts.get(id) ?? 0) + 1);
      last = entry?.sequence ?? 0n;
    }
    if (last <= 1n) break;
    beforeSequence = last;
  }
  for (const id of answerIds) {
    const count = counts.get(id) ?? 0;
    if (count !== 1) problems.push(`answer ${id} of ${tenant} has ${count} entries in the audit`);
  }
  return problems;
}

async function checkSessions(
  replicas: Replicas,
  tenant: Tenant,
  sessions: TenantRecord['sessions'],
): Promise<string[]> {
  const problems: string[] = [];
  const chat = replicas.client(ChatService, tenant, 0);
  for (const { id, questions } of sessions) {
    const { turns } = await chat.getSession({ sessionId: id });
    const stored = turns.map(({ question }) => question);
    // Turns whose stream broke may be between those that were acknowledged.
    let at = 0;
    for (const question of stored) if (question === questions[at]) at++;
    if (at < questions.length) problems.push(`session ${id}: ${questions.length - at} turns are lost or out of order`);
    const ids = turns.map(({ answerId }) => answerId);
    if (new Set(ids).size < ids.length) problems.push(`session ${id} has a turn twice`);
  }
  return problems;
}
