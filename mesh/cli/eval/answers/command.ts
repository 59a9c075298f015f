import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { toJson } from '@bufbuild/protobuf';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type CommandContext, CommandError, printJson } from '../../command.ts';
import { connectMesh, type MeshConnection } from '../../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../../flags.ts';
import { ingestFiles } from '../../ingest.ts';
import { createProgress } from '../../progress.ts';
import { findFiles } from '../../upload/upload.ts';
import { withTerms } from '../terms.ts';
import { warmUp } from '../warm-up.ts';
import { askPatiently, patiently } from './ask.ts';
import { type AnswerBaseline, type AnswerChange, compareAnswers, toAnswerBaseline } from './baseline.ts';
import { measureParts, type PartMeasures, worst } from './inside.ts';
import type { JudgedAnswer } from './judge.ts';
import { type AnswerSet, answerGold, type JudgedQuestion, readAnswerSets, sample, sampleTerms } from './questions.ts';
import { describeAnswers } from './report.ts';
import { askWordings, describeWordings, goldSet, type LostWording } from './wordings.ts';

const help = `npm run eval -- answers [folder of sets] [options]

Asks judged questions as a customer does, and counts the answers that are right, partly right, wrong or refused. The documents are
indexed (only what changed). Without a folder: deployments/answer-gold.
With the set "gold", the questions of deployments/sample-gold are also asked with courtesy and in traditional characters.
Then the router is measured on phrasings that it has not seen, and with --public the rewriting of follow-ups and the check of sentences.
Exit code: 0; 2 if a question failed; 3 if significantly fewer answers are right than in the baseline, too many other wordings lose
their answer, or the router, the follow-ups or the check of sentences are significantly worse than their committed baselines.

  --set <name>             only this set; may be repeated
  --public <folder>        public sets that you have: chat/ (rewriter-zh.tsv, canard-dev.json, cast19-*), support/ (uhgeval, expertqa)
  --model <name>           the model to ask; default: extractive
  --wrong                  also print every answer that is not right
  --baseline <file>        compare with the verdicts in this file
  --write-baseline <file>  write the verdicts to this file
  --write-evidence <file>  write questions with their passages as JSON lines, for npm run train:answers
${connectionHelp}`;

/** Questions in flight. */
const callers = 4;
/**
 * Creates the command `npm run eval -- answers`. It resolves to 3 if answers, or a part that is measured by itself, are significantly worse,
 * and to 2 if a question failed. With --set or --json, the parts are not measured.
 */
export const createEvaluateAnswers = (parts: PartMeasures) => (context: CommandContext) =>
  evaluateAnswers(context, parts);

async function evaluateAnswers(context: CommandContext, parts: PartMeasures): Promise<number> {
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
      public: { type: 'string' },
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
  if (sets.length === 0 && !values.set.includes(goldSet))
    throw new CommandError(`no set is named ${values.set.join(', ')}`);
  const before = values.baseline === undefined ? undefined : readBaseline(values.baseline);
  await using mesh = await connectMesh(context, values);
  const answers: JudgedAnswer[] = [];
  for (const set of sets) answers.push(...(await askSet(mesh, set, values.model)));
  const wordings = values.set.length > 0 && !values.set.includes(goldSet) ? [] : await askGold(mesh, values.model);
  const evidence = values['write-evidence'];
  if (evidence !== undefined) writeFileSync(evidence, answers.map(toEvidenceLine).join(''));
  const kept = values['write-baseline'];
  if (kept !== undefined) writeFileSync(kept, `${JSON.stringify(toAnswerBaseline(answers), undefined, 2)}\n`);
  const change = before === undefined ? undefined : await compareAnswers(answers, before);
  if (values.json) {
    const verdicts = answers.map(({ set, question, verdict, text }) => ({ set, id: question.id, verdict, text }));
    printJson({ answers: verdicts, change, wordings });
  } else {
    if (answers.length > 0) process.stdout.write(await describeAnswers(answers, { showsWrong: values.wrong, change }));
    process.stdout.write(describeWordings(wordings));
  }
  const code = codeOf(answers, change, wordings);
  return values.json || values.set.length > 0 ? code : worst([code, await measureParts(parts, values.public)]);
}

function codeOf(
  answers: readonly JudgedAnswer[],
  change: AnswerChange | undefined,
  wordings: readonly LostWording[],
): number {
  if (change?.isSignificantDrop === true || wordings.some(({ lost, mayLose }) => lost.length > mayLose)) return 3;
  return answers.some(({ failure }) => failure !== undefined) ? 2 : 0;
}

function readBaseline(path: string): AnswerBaseline {
  if (!existsSync(path)) throw new CommandError(`${path} does not exist: write it with --write-baseline`);
  return JSON.parse(readFileSync(path, 'utf8')) as AnswerBaseline;
}

/** Asks the questions of the sample knowledge base in other wordings. */
async function askGold(mesh: MeshConnection, model: string): Promise<LostWording[]> {
  const corpus = `answers-${goldSet}`;
  await using _terms = await withTerms(mesh, sampleTerms);
  const { files } = await findFiles([sample]);
  const job = await patiently(() =>
    ingestFiles(mesh.client(IndexerService), corpus, files, createProgress(), { deleteMissing: true }),
  );
  if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the corpus could not be indexed: ${job.error}`);
  await patiently(() => warmUp(mesh, corpus, '-'));
  return askWordings((question) => askPatiently(mesh.client(ChatService), question, corpus, model));
}

/** Indexes the documents of a set, and asks its questions. */
async function askSet(mesh: MeshConnection, set: AnswerSet, model: string): Promise<JudgedAnswer[]> {
  const corpus = `answers-${set.name}`;
  await using _terms = await withTerms(mesh, set.terms);
  const { files } = await findFiles([...set.documents]);
  const job = await patiently(() =>
    ingestFiles(mesh.client(IndexerService), corpus, files, createProgress(), { deleteMissing: true }),
  );
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

function toEvidenceLine({ set, question, passages }: JudgedAnswer): string {
  const evidence = passages.map((passage) => toJson(PassageSchema, passage));
  return `${JSON.stringify({ set, ...question, passages: evidence })}\n`;
}
