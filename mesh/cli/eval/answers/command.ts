import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { toJson } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { ChatService, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Passage, PassageSchema, type Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type CommandContext, CommandError, printJson } from '../../command.ts';
import { connectMesh, type MeshConnection } from '../../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../../flags.ts';
import { ingestFiles } from '../../ingest.ts';
import { createProgress } from '../../progress.ts';
import { findFiles } from '../../upload/upload.ts';
import { withTerms } from '../terms.ts';
import { warmUp } from '../warm-up.ts';
import { type AnswerBaseline, compareAnswers, toAnswerBaseline } from './baseline.ts';
import { type JudgedAnswer, judgeAnswer } from './judge.ts';
import { type AnswerSet, answerGold, type JudgedQuestion, readAnswerSets } from './questions.ts';
import { describeAnswers } from './report.ts';

const help = `npm run eval -- answers [folder of sets] [options]

Asks judged questions as a customer does, and counts the answers that are right, partly right, wrong or refused. The documents are
indexed (only what changed). Without a folder: deployments/answer-gold.
Exit code: 0; 2 if a question failed; 3 if significantly fewer answers are right than in the baseline.

  --set <name>             only this set; may be repeated
  --model <name>           the model to ask; default: extractive
  --wrong                  also print every answer that is not right
  --baseline <file>        compare with the verdicts in this file
  --write-baseline <file>  write the verdicts to this file
  --write-evidence <file>  write questions with their passages as JSON lines, for npm run train:answers
${connectionHelp}`;

/** Questions in flight. */
const callers = 4;
/** How often a question is asked again if the caller's rate limit is reached, and after how long. */
const maxTries = 30;
const againMs = 1000;

/** Runs `npm run eval -- answers`. Resolves to 3 if significantly fewer answers are right, 2 if a question failed. */
export async function evaluateAnswers(context: CommandContext): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: {
      set: { type: 'string', multiple: true, default: [] },
      model: { type: 'string', default: 'extractive' },
      wrong: { type: 'boolean', default: false },
      baseline: { type: 'string' },
      'write-baseline': { type: 'string' },
      'write-evidence': { type: 'string' },
      ...connectionFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const sets = readAnswerSets(positionals[0] ?? answerGold).filter(
    ({ name }) => values.set.length === 0 || values.set.includes(name),
  );
  if (sets.length === 0) throw new CommandError(`no set is named ${values.set.join(', ')}`);
  const before = values.baseline === undefined ? undefined : readBaseline(values.baseline);
  await using mesh = await connectMesh(context, values);
  const answers: JudgedAnswer[] = [];
  for (const set of sets) answers.push(...(await askSet(mesh, set, values.model)));
  const evidence = values['write-evidence'];
  if (evidence !== undefined) writeFileSync(evidence, answers.map(toEvidenceLine).join(''));
  const kept = values['write-baseline'];
  if (kept !== undefined) writeFileSync(kept, `${JSON.stringify(toAnswerBaseline(answers), undefined, 2)}\n`);
  const change = before === undefined ? undefined : await compareAnswers(answers, before);
  if (values.json) {
    const verdicts = answers.map(({ set, question, verdict, text }) => ({ set, id: question.id, verdict, text }));
    printJson({ answers: verdicts, change });
  } else process.stdout.write(await describeAnswers(answers, { showsWrong: values.wrong, change }));
  if (change?.isSignificantDrop === true) return 3;
  return answers.some(({ failure }) => failure !== undefined) ? 2 : 0;
}

function readBaseline(path: string): AnswerBaseline {
  if (!existsSync(path)) throw new CommandError(`${path} does not exist: write it with --write-baseline`);
  return JSON.parse(readFileSync(path, 'utf8')) as AnswerBaseline;
}

/** Indexes the documents of a set, and asks its questions. */
async function askSet(mesh: MeshConnection, set: AnswerSet, model: string): Promise<JudgedAnswer[]> {
  const corpus = `answers-${set.name}`;
  await using _terms = await withTerms(mesh, set.terms);
  const { files } = await findFiles([...set.documents]);
  const job = await ingestFiles(mesh.client(IndexerService), corpus, files, createProgress(), { deleteMissing: true });
  if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the corpus could not be indexed: ${job.error}`);
  await patiently(() => warmUp(mesh, corpus, set.questions[0]?.text ?? '-'));
  const chat = mesh.client(ChatService);
  const answers: JudgedAnswer[] = [];
  const progress = createProgress();
  let next = 0;
  const caller = async () => {
    while (next < set.questions.length) {
      const index = next++;
      progress.update(index, set.questions.length, `asking ${set.name}`);
      const question = set.questions[index] as JudgedQuestion;
      answers[index] = { set: set.name, question, ...(await askPatiently(chat, question, corpus, model)) };
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  progress.end();
  return answers;
}

type Asked = Omit<JudgedAnswer, 'set' | 'question'>;

const nothing = { text: '', passages: [], cited: [], isVerified: false, stages: [], latencyMs: 0, isDegraded: false };

/** Asks a question. One that fails counts as wrong. */
async function askPatiently(
  chat: Client<typeof ChatService>,
  question: JudgedQuestion,
  corpus: string,
  model: string,
): Promise<Asked> {
  try {
    return await patiently(() => ask(chat, question, corpus, model));
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { ...nothing, verdict: 'wrong', failure };
  }
}

/** Calls, again after a while if the rate limit of the key is reached. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      const isLimited = error instanceof ConnectError && error.code === Code.ResourceExhausted;
      if (!isLimited || tried >= maxTries) throw error;
      await setTimeout(againMs);
    }
  }
}

async function ask(
  chat: Client<typeof ChatService>,
  question: JudgedQuestion,
  corpus: string,
  model: string,
): Promise<Asked> {
  const startedAt = performance.now();
  let text = '';
  let passages: Passage[] = [];
  const cited = new Set<number>();
  const stages: { stage: Stage; latencyMs: number }[] = [];
  const request = { question: question.text, corpora: [corpus], model, bypassCache: true };
  for await (const { event } of chat.ask(request)) {
    if (event.case === 'textDelta') text += event.value.text;
    if (event.case === 'reset') text = '';
    if (event.case === 'sources') passages = event.value.passages;
    if (event.case === 'citation') cited.add(event.value.marker - 1);
    if (event.case === 'stage' && event.value.status === StageStatus.FINISHED) {
      stages.push({ stage: event.value.stage, latencyMs: Number(event.value.latencyUs) / 1000 });
    }
    if (event.case !== 'done') continue;
    const isRefused = event.value.outcome === AnswerOutcome.REFUSED;
    return {
      verdict: judgeAnswer(question, isRefused ? undefined : text),
      text,
      passages,
      cited: [...cited],
      isVerified: event.value.verified,
      stages,
      latencyMs: performance.now() - startedAt,
      isDegraded: event.value.degradations.length > 0,
      failure: undefined,
    };
  }
  throw new CommandError('the stream ended before the answer was complete');
}

function toEvidenceLine({ set, question, passages }: JudgedAnswer): string {
  const evidence = passages.map((passage) => toJson(PassageSchema, passage));
  return `${JSON.stringify({ set, ...question, passages: evidence })}\n`;
}
