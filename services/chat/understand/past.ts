import type { Client } from '@connectrpc/connect';
import { type LLMGatewayService, type Model, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { type BackgroundTasks, backgroundCall } from '../answer/background.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { ChatSettings } from '../config.ts';
import { chooseHistory, summaryTokens } from '../prompt/prompt.ts';
import { noSummary, type Summary, summarizeByQuotes, withUnread } from '../prompt/summary.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { completeShort, hasTask } from './short-completion.ts';
import { readSummary, summaryInstructions, summaryText } from './summary-by-model.ts';

/** What a prompt says of the conversation so far. */
export interface Past {
  /** The latest turns, oldest first. */
  readonly history: readonly PastTurn[];
  /** The turns before them. */
  readonly summary: Summary;
}

export const noPast: Past = { history: [], summary: noSummary };

/** What the past of a conversation needs. */
export interface PastDeps {
  settings: ChatSettings;
  clients: { llm: Pick<Client<typeof LLMGatewayService>, 'generate'> };
  sessions: Pick<Sessions, 'summary' | 'turnsBetween' | 'keepSummary'>;
  background: BackgroundTasks;
}

/** A conversation, as far as it was read. */
export interface Conversation {
  /** Empty if it is in no session. */
  readonly sessionId: string;
  /** The latest turns, oldest first; those of a session have their place. */
  readonly turns: readonly PastTurn[];
  readonly models: readonly Model[] | undefined;
  readonly answerId: string;
}

/** Turns that are read beyond those that every question reads. */
const maxOlderTurns = 40;
/** Turns that are summarised together, so that not every question writes a summary. */
const foldCount = 4;
/** Time for a summary by a model, which no answer waits for, in milliseconds. */
const summarizeMs = 20_000;

/**
 * Returns the turns that fit into their share of the prompt, and a summary of all before them: the stored one, with quotes of what has been
 * said since. When enough was said, a new summary is made in the background, by a model if a route has the task.
 */
export async function readPast(deps: PastDeps, conversation: Conversation, context: CallContext): Promise<Past> {
  const { sessionId, turns } = conversation;
  const { settings, sessions } = deps;
  const budgetTokens = summaryTokens(settings);
  const firstSeq = turns.find(({ seq }) => seq !== undefined)?.seq;
  if (sessionId === '' || firstSeq === undefined) {
    const history = chooseHistory(turns, settings);
    const before = turns.slice(0, turns.length - history.spanCount);
    return { history: history.turns, summary: summarizeByQuotes(noSummary, before, budgetTokens) };
  }
  const owner = context.principal;
  const stored = await sessions.summary(owner, sessionId);
  const untilSeq = stored?.untilSeq ?? 0;
  const older =
    firstSeq > untilSeq
      ? await sessions.turnsBetween(owner, sessionId, { afterSeq: untilSeq, beforeSeq: firstSeq, limit: maxOlderTurns })
      : { turns: [], count: 0 };
  const fresh = turns.filter(({ seq }) => seq === undefined || seq > untilSeq);
  const history = chooseHistory(fresh, settings);
  const before = [...older.turns, ...fresh.slice(0, fresh.length - history.spanCount)];
  const known = withUnread(stored ?? noSummary, older.count - older.turns.length);
  const summary = summarizeByQuotes(known, before, budgetTokens);
  const lastSeq = before.findLast(({ seq }) => seq !== undefined)?.seq;
  if (before.length >= foldCount && lastSeq !== undefined) {
    void deps.background.run('summarising old turns', async () => {
      const text = await summarizeByModel(deps, conversation, { known, before }, context);
      const folded = { ...summary, ...(text !== undefined && { text }) };
      await sessions.keepSummary(sessionId, { ...folded, untilSeq: lastSeq });
    });
  }
  return { history: history.turns, summary };
}

async function summarizeByModel(
  { clients, settings }: PastDeps,
  { models, answerId }: Conversation,
  { known, before }: { known: Summary; before: readonly PastTurn[] },
  context: CallContext,
): Promise<string | undefined> {
  if (!hasTask(models, Task.SUMMARIZE)) return undefined;
  const maxTokens = summaryTokens(settings);
  const text = summaryText(known, before);
  const request = { task: Task.SUMMARIZE, system: summaryInstructions(maxTokens), text, maxTokens };
  // It outlives the call that began it.
  const written = await completeShort(
    clients.llm,
    { ...request, timeoutMs: summarizeMs, requestId: `${answerId}/summary` },
    { options: (signal) => ({ ...backgroundCall(context, summarizeMs), signal }) },
  );
  const read = written === undefined ? undefined : readSummary(written, text);
  return read !== undefined && estimateTokens(read) <= maxTokens ? read : undefined;
}
