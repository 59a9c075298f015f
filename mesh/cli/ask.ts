import { toJson } from '@bufbuild/protobuf';
import { ChatService, StageStatus, type StageUpdate } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import {
  type AnswerDone,
  AnswerDoneSchema,
  AnswerOutcome,
  type Citation,
  CitationSchema,
  ClaimFaultSchema,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { type CommandContext, CommandError, printJson } from './command.ts';
import { connectMesh } from './connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from './flags.ts';

const help = `npm run ask -- "question" [--corpus <name>] [--session <id>] [--stages]

Asks, and prints the answer as it is generated, with its sources. Exit code: 0 for an answer, 3 if the documents have none.

  --corpus <name>    search only this corpus (may be given more than once)
  --session <id>     continue a session (its id is printed after each answer)
  --stages           show the stages and their times
${connectionHelp}`;

/** Runs `npm run ask`. Resolves to 0 for an answer, 3 for a refusal. */
export async function ask(context: CommandContext): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: {
      corpus: { type: 'string', multiple: true, default: [] },
      session: { type: 'string', default: '' },
      stages: { type: 'boolean', default: false },
      ...connectionFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const question = positionals.join(' ').trim();
  if (question === '') throw new CommandError(`a question is needed\n\n${help}`);
  await using mesh = await connectMesh(context, values);
  const citations: Citation[] = [];
  let text = '';
  let done: AnswerDone | undefined;
  const show = values.json ? () => {} : (part: string) => void process.stdout.write(part);
  const events = mesh.client(ChatService).ask({
    question,
    sessionId: values.session,
    createSession: true,
    corpora: values.corpus,
  });
  for await (const { event } of events) {
    switch (event.case) {
      case 'stage':
        if (values.stages) printStage(event.value);
        break;
      case 'textDelta':
        text += event.value.text;
        show(event.value.text);
        break;
      case 'reset':
        text = '';
        show(`\n[answer restarted: ${event.value.reason}]\n`);
        break;
      case 'citation':
        citations.push(event.value);
        break;
      case 'done':
        done = event.value;
        break;
    }
  }
  if (done === undefined) throw new CommandError('the stream ended before the answer was complete: ask again');
  citations.sort((a, b) => a.marker - b.marker);
  if (values.json) {
    const sources = citations.map((citation) => toJson(CitationSchema, citation));
    printJson({ text, citations: sources, done: toJson(AnswerDoneSchema, done) });
  } else {
    printEnd(text, citations, done);
  }
  return done.outcome === AnswerOutcome.REFUSED ? 3 : 0;
}

function printStage({ stage, status, latencyUs, detail }: StageUpdate): void {
  if (status === StageStatus.STARTED) return;
  const name = enumName(StageSchema, stage).toLowerCase();
  process.stderr.write(`  ${name} ${(Number(latencyUs) / 1000).toFixed(1)} ms ${detail}\n`);
}

/** Prints what follows the text: sources, degradations, sentences without support, and the session. */
function printEnd(text: string, citations: readonly Citation[], done: AnswerDone): void {
  process.stdout.write('\n');
  for (const { marker, title, documentId, url, page } of citations) {
    const place = page > 0 ? `${documentId}, page ${page}` : documentId;
    process.stdout.write(`  [${marker}] ${title || documentId} — ${place}${url ? ` <${url}>` : ''}\n`);
  }
  for (const { stage, reason, effect } of done.degradations) {
    process.stderr.write(`  degraded: ${enumName(StageSchema, stage).toLowerCase()} (${reason}): ${effect}\n`);
  }
  for (const { start, end, fault } of done.unsupportedClaims) {
    const name = enumName(ClaimFaultSchema, fault).toLowerCase();
    process.stderr.write(`  not supported by its source (${name}): ${text.slice(start, end)}\n`);
  }
  process.stderr.write(`session ${done.sessionId}\n`);
}
