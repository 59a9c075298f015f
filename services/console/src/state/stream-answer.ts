import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { AskRequestSchema, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { AnswerUpdate } from './ask.ts';
import { failureOf } from './failure.ts';

/** Deadline of an answer, as in the contract. */
const timeoutMs = 120_000;

/** Time in which updates are collected before they are shown, so that a fast stream does not redraw for each word. */
const gatherMs = 24;

/**
 * Asks, and reports updates in small batches until the answer has ended, failed, or was stopped by `signal`. Never throws: a
 * failure is an update.
 */
export async function streamAnswer(
  chat: Pick<Client<typeof ChatService>, 'ask'>,
  request: MessageInitShape<typeof AskRequestSchema>,
  signal: AbortSignal,
  show: (updates: AnswerUpdate[]) => void,
  now: () => number = () => performance.now(),
): Promise<void> {
  let gathered: AnswerUpdate[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const updates = gathered;
    gathered = [];
    if (updates.length > 0) show(updates);
  };
  try {
    for await (const response of chat.ask(request, { signal, timeoutMs })) {
      gathered.push({ kind: 'response', response, atMs: now() });
      timer ??= setTimeout(flush, gatherMs);
    }
    gathered.push({ kind: 'ended', atMs: now() });
  } catch (thrown) {
    gathered.push(
      signal.aborted ? { kind: 'stopped', atMs: now() } : { kind: 'failed', failure: failureOf(thrown), atMs: now() },
    );
  }
  flush();
}
