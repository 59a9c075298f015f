import type { Client } from '@connectrpc/connect';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { connectMesh } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';
import { createProgress } from '../progress.ts';

const help = `npm run cache:warm -- [--top 100] [--days 7] [--callers 4]

Asks the most frequent questions, so that their answers are in the cache before users ask them again, for example after a new
index version. It asks with its own key, so it warms the answers of users who see the same documents.
Exit code: 0, or 1 if every question failed.

  --top <count>       number of questions
  --days <count>      how far back the audit is read
  --callers <count>   questions that run concurrently
${connectionHelp}`;

/** Entries of one page of the audit. */
const pageSize = 1000;
/** Entries that are read at most. */
const maxEntries = 200_000;

/** Runs `npm run cache:warm`. Resolves to 1 if every question failed. */
export async function warmCache(context: CommandContext): Promise<number> {
  const { values } = parseFlags({
    args: context.args,
    options: {
      top: { type: 'string', default: '100' },
      days: { type: 'string', default: '7' },
      callers: { type: 'string', default: '4' },
      ...connectionFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const top = readCount('--top', values.top, 100_000);
  const days = readCount('--days', values.days, 36_500);
  const callers = readCount('--callers', values.callers, 64);
  await using mesh = await connectMesh(context, values);
  const questions = await mostAsked(mesh.client(AuditService), Date.now() - days * 86_400_000, top);
  if (questions.length === 0 && !values.json) {
    process.stdout.write(`the audit has no questions of the last ${days} days\n`);
    return 0;
  }
  const counts = await askAll(mesh.client(ChatService), questions, callers);
  if (values.json) printJson({ questions: questions.length, ...counts });
  else {
    const { generated, cached, failed } = counts;
    process.stdout.write(
      `${questions.length} questions: ${generated} answers generated, ${cached} already cached, ${failed} failed\n`,
    );
  }
  return questions.length > 0 && counts.failed === questions.length ? 1 : 0;
}

function readCount(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new CommandError(`${name} is ${text}: a number from 1 to ${most} is needed`);
  return value;
}

/** Returns the standalone questions that were asked most often since a time, the most frequent first. */
async function mostAsked(audit: Client<typeof AuditService>, fromMs: number, top: number): Promise<string[]> {
  const counts = new Map<string, { question: string; count: number }>();
  const from = { seconds: BigInt(Math.floor(fromMs / 1000)), nanos: 0 };
  let beforeSequence = 0n;
  for (let readCountSoFar = 0; readCountSoFar < maxEntries; ) {
    let entryCount = 0;
    for await (const { entry } of audit.queryAudit({ from, limit: pageSize, beforeSequence })) {
      entryCount++;
      beforeSequence = entry?.sequence ?? beforeSequence;
      const question = entry?.record?.standaloneQuestion || entry?.record?.question || '';
      const key = normalizeText(question);
      if (key === '') continue;
      const known = counts.get(key) ?? { question, count: 0 };
      known.count++;
      counts.set(key, known);
    }
    readCountSoFar += entryCount;
    if (entryCount < pageSize) break;
  }
  const ordered = [...counts.values()].sort((a, b) => b.count - a.count);
  return ordered.slice(0, top).map(({ question }) => question);
}

async function askAll(chat: Client<typeof ChatService>, questions: readonly string[], callers: number) {
  const counts = { generated: 0, cached: 0, failed: 0 };
  const progress = createProgress();
  let next = 0;
  const caller = async () => {
    while (next < questions.length) {
      const question = questions[next++] as string;
      progress.update(next, questions.length, 'asking');
      try {
        let layer: CacheLayer | undefined;
        for await (const { event } of chat.ask({ question })) {
          if (event.case === 'done') layer = event.value.cacheLayer;
        }
        if (layer === undefined) counts.failed++;
        else if (layer === CacheLayer.UNSPECIFIED) counts.generated++;
        else counts.cached++;
      } catch (error) {
        counts.failed++;
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}: ${question}\n`);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  progress.end();
  return counts;
}
