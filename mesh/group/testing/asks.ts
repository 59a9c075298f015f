import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import type { TestGroup } from './start-group.ts';

/** Sections without limits that a test would reach. */
export const unlimited = `edge: { port: EDGE_PORT, tenant_requests_per_second: 1000000, tenant_burst: 1000000,
  user_requests_per_second: 1000000, user_burst: 1000000, user_max_concurrent: 10000 }`;

/** Questions that the sample answers. */
export const questions = [
  'How long do I have to return an item?',
  'Are fabric swatches free?',
  'Can I change my delivery address?',
  'How do I get an invoice?',
];

/** Clients with a connection each. */
export function connections(group: TestGroup, count: number): Client<typeof ChatService>[] {
  return Array.from({ length: count }, () =>
    createClient(ChatService, createConnectTransport({ baseUrl: group.edgeUrl, httpVersion: '2' })),
  );
}

/** An answer, as its client sees it. */
export interface Answered {
  answerId: string;
  isWhole: boolean;
  isRecorded: boolean;
}

/** Asks a question, and reads the answer to its end. */
export async function ask(client: Client<typeof ChatService>, key: string, question: string): Promise<Answered> {
  let answered: Answered = { answerId: '', isWhole: false, isRecorded: false };
  for await (const { event } of client.ask(
    { question },
    { headers: { authorization: `Bearer ${key}` }, timeoutMs: 60_000 },
  )) {
    if (event.case !== 'done') continue;
    const { answerId, outcome, degradations } = event.value;
    answered = {
      answerId,
      isWhole: outcome !== AnswerOutcome.UNSPECIFIED,
      isRecorded: degradations.every(({ stage }) => stage !== Stage.AUDIT),
    };
  }
  return answered;
}

/** Returns the ids of all answers in the audit, whose chain must be intact. */
export async function auditedIds(group: TestGroup): Promise<string[]> {
  const audit = createClient(AuditService, createConnectTransport({ baseUrl: group.edgeUrl, httpVersion: '2' }));
  const headers = { authorization: `Bearer ${group.keys.dev}` };
  const ids: string[] = [];
  let before = 0n;
  do {
    let last = 0n;
    for await (const { entry } of audit.queryAudit({ limit: 10_000, beforeSequence: before }, { headers })) {
      ids.push(entry?.record?.answerId ?? '');
      last = entry?.sequence ?? 0n;
    }
    before = last;
  } while (before > 1n);
  const { intact } = await audit.verifyChain({}, { headers });
  if (!intact) throw new Error('the chain of the audit is broken');
  return ids;
}

/** What callers have seen until they were stopped. */
export interface LoadReport {
  /** Ids of answers that ended and did not say that they are not in the audit. */
  acknowledged: string[];
  /** Failures that a client cannot expect. */
  wrong: string[];
}

/** Starts callers that ask without a pause, each question over a connection of its own, so that all workers get some. */
export function startLoad(group: TestGroup, callerCount: number): { stop(): Promise<LoadReport> } {
  const acknowledged: string[] = [];
  const wrong: string[] = [];
  let isOver = false;
  const call = async (number: number) => {
    for (let count = 0; !isOver; count++) {
      const [client] = connections(group, 1);
      const question = count % 3 === 0 ? `${questions[0]} Order ${number}-${count}` : (questions[count % 4] as string);
      try {
        const answered = await ask(client as Client<typeof ChatService>, group.keys.dev, question);
        if (answered.isRecorded) acknowledged.push(answered.answerId);
      } catch (error) {
        // What a dead process had in flight, and what came before its successor, may be tried again.
        const { code } = ConnectError.from(error);
        // A connection that is lost is CANCELED, INTERNAL or UNKNOWN to a client of Connect.
        const isRetryable = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Unknown, Code.Internal].includes(code);
        if (!isRetryable || isBug(error)) wrong.push(`${error}`);
        await sleep(50);
      }
    }
  };
  const calls = Array.from({ length: callerCount }, (_, number) => call(number));
  return {
    async stop() {
      isOver = true;
      await Promise.all(calls);
      return { acknowledged, wrong };
    },
  };
}

/** Whether the server says that the failure is its own bug. */
function isBug(error: unknown): boolean {
  return error instanceof ConnectError && error.rawMessage === 'internal error';
}
