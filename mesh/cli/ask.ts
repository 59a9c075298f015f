import { parseArgs } from 'node:util';
import { ChatService, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome, type Citation, ClaimFaultSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { type CommandContext, CommandError, connectMesh } from './connect.ts';

const help = `npm run ask -- "question" [--corpus <name>] [--session <id>] [--stages]

Asks, and prints the answer as it comes, with its sources.

  --corpus <name>    search only this corpus (may be given more than once)
  --session <id>     go on in a session (its id is printed after each answer)
  --stages           show the stages and their times
`;

/** `npm run ask`. Exit code 0 for an answer, 3 for a refusal. */
export async function ask(context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: context.args,
    allowPositionals: true,
    options: {
      corpus: { type: 'string', multiple: true, default: [] },
      session: { type: 'string', default: '' },
      stages: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const question = positionals.join(' ').trim();
  if (question === '') throw new CommandError(`a question is needed\n\n${help}`);
  await using mesh = await connectMesh(context);
  const citations: Citation[] = [];
  let text = '';
  let outcome: AnswerOutcome = AnswerOutcome.UNSPECIFIED;
  const events = mesh.client(ChatService).ask({
    question,
    sessionId: values.session,
    createSession: true,
    corpora: values.corpus,
  });
  for await (const { event } of events) {
    switch (event.case) {
      case 'stage':
        if (values.stages && event.value.status !== StageStatus.STARTED) {
          const stage = enumName(StageSchema, event.value.stage).toLowerCase();
          process.stderr.write(
            `  ${stage} ${(Number(event.value.latencyUs) / 1000).toFixed(1)} ms ${event.value.detail}\n`,
          );
        }
        break;
      case 'textDelta':
        text += event.value.text;
        process.stdout.write(event.value.text);
        break;
      case 'reset':
        text = '';
        process.stdout.write(`\n[starting anew: ${event.value.reason}]\n`);
        break;
      case 'citation':
        citations.push(event.value);
        break;
      case 'done': {
        outcome = event.value.outcome;
        process.stdout.write('\n');
        for (const { marker, title, documentId, url } of citations.sort((a, b) => a.marker - b.marker)) {
          process.stdout.write(`  [${marker}] ${title || documentId} — ${documentId}${url ? ` <${url}>` : ''}\n`);
        }
        for (const { stage, reason, effect } of event.value.degradations) {
          process.stderr.write(`  degraded: ${enumName(StageSchema, stage).toLowerCase()} (${reason}): ${effect}\n`);
        }
        for (const { start, end, fault } of event.value.unsupportedClaims) {
          const name = enumName(ClaimFaultSchema, fault).toLowerCase();
          process.stderr.write(`  not supported by its source (${name}): ${text.slice(start, end)}\n`);
        }
        process.stderr.write(`session ${event.value.sessionId}\n`);
        break;
      }
    }
  }
  if (outcome === AnswerOutcome.UNSPECIFIED) throw new CommandError('the stream ended before the answer was whole');
  return outcome === AnswerOutcome.REFUSED ? 3 : 0;
}
