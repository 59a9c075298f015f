import type { CallOptions, Client } from '@connectrpc/connect';
import type { AccountErasureService } from '#gen/ragmesh/accounts/v1/account_erasure_pb.ts';
import type { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import type { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { ChatErasureService } from '#gen/ragmesh/chat/v1/chat_erasure_pb.ts';
import type { DocumentErasureService } from '#gen/ragmesh/indexer/v1/document_erasure_pb.ts';

/** The services that store something of users and documents. */
export interface Stores {
  accounts: Client<typeof AccountErasureService>;
  audit: Pick<Client<typeof AuditService>, 'queryAudit' | 'getUsageReport'>;
  auditErasure: Client<typeof AuditErasureService>;
  cache: Pick<Client<typeof CacheService>, 'invalidate'>;
  chat: Client<typeof ChatErasureService>;
  indexer: Client<typeof DocumentErasureService>;
}

/** What is erased. */
export type Target = { kind: 'user'; user: string } | { kind: 'document'; corpus: string; documentId: string };

/** What a step has found in a store. */
export interface Found {
  store: string;
  found: number;
  left?: number;
}

/** A step of an erasure. It may be repeated: then it finds what was left. */
export interface Step {
  name: string;
  run(call: () => Promise<CallOptions>, signal: AbortSignal): Promise<Found[]>;
}

/** Returns the steps of an erasure, in order. */
export function stepsOf(stores: Stores, erasureId: string, target: Target): readonly Step[] {
  switch (target.kind) {
    case 'user':
      return userSteps(stores, erasureId, target.user);
    case 'document':
      return documentSteps(stores, erasureId, target);
    default:
      return target satisfies never;
  }
}

function userSteps(stores: Stores, erasureId: string, user: string): Step[] {
  const { accounts, audit, auditErasure, cache, chat, indexer } = stores;
  return [
    {
      // First: the user's keys end, so that their calls add nothing.
      name: 'accounts',
      async run(call) {
        const { ownKeyCount, madeKeyCount, limitCount } = await accounts.eraseAccountUser({ user }, await call());
        return [
          { store: 'accounts.own_keys', found: Number(ownKeyCount) },
          { store: 'accounts.made_keys', found: Number(madeKeyCount) },
          { store: 'accounts.limits', found: Number(limitCount) },
        ];
      },
    },
    {
      // Before the audit: the questions of the user are known until the audit is erased.
      name: 'cache',
      async run(call, signal) {
        const questions = await questionsOf(audit, user, await call(), signal);
        if (questions === undefined) {
          const all = await cache.invalidate({ target: { case: 'all', value: true } }, await call());
          return [{ store: 'cache.answers', found: Number(all.entryCount) }];
        }
        let found = 0;
        for (const question of questions) {
          const dropped = await cache.invalidate({ target: { case: 'question', value: question } }, await call());
          found += Number(dropped.entryCount);
        }
        return [{ store: 'cache.answers', found }];
      },
    },
    {
      name: 'chat',
      async run(call) {
        const { sessionCount, answerCount, feedbackCount, curatedCount } = await chat.eraseChatUser(
          { user },
          await call(),
        );
        return [
          { store: 'chat.sessions', found: Number(sessionCount) },
          { store: 'chat.answers', found: Number(answerCount) },
          { store: 'chat.feedback', found: Number(feedbackCount) },
          { store: 'chat.curated_authors', found: Number(curatedCount) },
        ];
      },
    },
    {
      name: 'indexer',
      async run(call) {
        const { rowCount } = await indexer.eraseEditor({ user }, await call());
        return [{ store: 'indexer.editors', found: Number(rowCount) }];
      },
    },
    {
      // Last: its receipt says that all of this is done.
      name: 'audit',
      async run(call) {
        const found = await auditErasure.eraseAuditUser({ erasureId, user }, await call());
        return [
          { store: 'audit.sealed_entries', found: Number(found.sealedCount) },
          { store: 'audit.clear_entries', found: Number(found.redactedCount) },
          { store: 'audit.ledger', found: Number(found.ledgerCount) },
        ];
      },
    },
  ];
}

function documentSteps(
  { auditErasure, cache, chat, indexer }: Stores,
  erasureId: string,
  { corpus, documentId }: { corpus: string; documentId: string },
): Step[] {
  return [
    {
      // First: nothing reads the document after this, so no answer is made from it again.
      name: 'indexer',
      async run(call) {
        const found = await indexer.eraseIndexedDocument({ corpus, documentId }, await call());
        return [
          { store: 'retrieval.documents', found: Number(found.indexedCount) },
          { store: 'retrieval.passages', found: Number(found.passageCount) },
          { store: 'indexer.contents', found: Number(found.contentCount) },
          { store: 'indexer.originals', found: Number(found.originalCount) },
          { store: 'indexer.edits', found: Number(found.editCount) },
          { store: 'indexer.notes', found: Number(found.noteCount) },
          { store: 'indexer.uploads', found: Number(found.openJobCount), left: Number(found.openJobCount) },
        ];
      },
    },
    {
      name: 'cache',
      async run(call) {
        const dropped = await cache.invalidate({ target: { case: 'documentId', value: documentId } }, await call());
        return [{ store: 'cache.answers', found: Number(dropped.entryCount) }];
      },
    },
    {
      name: 'chat',
      async run(call) {
        const { answerCount, feedbackCount } = await chat.eraseChatDocument({ corpus, documentId }, await call());
        return [
          { store: 'chat.answers', found: Number(answerCount) },
          { store: 'chat.feedback', found: Number(feedbackCount) },
        ];
      },
    },
    {
      name: 'audit',
      async run(call) {
        const { redactedCount } = await auditErasure.eraseAuditDocument(
          { erasureId, corpus, documentId },
          await call(),
        );
        return [{ store: 'audit.entries', found: Number(redactedCount) }];
      },
    },
  ];
}

/** Most questions that are invalidated one by one; of a user with more, the answers of the whole tenant are. */
const maxQuestions = 1000;
/** Entries of the audit that are read at a time. */
const entriesAtOnce = 500;

/** Returns the questions of a user, as the cache may know them; `undefined`: too many. */
export async function questionsOf(
  audit: Stores['audit'],
  user: string,
  options: CallOptions,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const questions = new Set<string>();
  for (let beforeSequence = 0n; ; ) {
    signal.throwIfAborted();
    let count = 0;
    for await (const { entry } of audit.queryAudit({ user, limit: entriesAtOnce, beforeSequence }, options)) {
      count++;
      beforeSequence = entry?.sequence ?? 0n;
      for (const question of [entry?.record?.question, entry?.record?.standaloneQuestion])
        if (question) questions.add(question);
    }
    if (questions.size > maxQuestions) return undefined;
    if (count < entriesAtOnce) return questions;
  }
}
