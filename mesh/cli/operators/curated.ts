import { readFileSync } from 'node:fs';
import { fromJson } from '@bufbuild/protobuf';
import { CuratedAnswerService, PutCuratedAnswerRequestSchema } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { connectMesh } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';

const help = `npm run curated -- <file.jsonl> [options]

Loads curated answers: one JSON object in each line, {"id", "corpus", "questions": […], "answer", "title"?, "url"?}. An id that exists gets a new
version. Without a file, prints the answers that are given now in the same form.

  --corpus <name>  corpus of lines that name none; of the answers that are printed
${connectionHelp}`;

/** Runs `npm run curated`. */
export async function curated(context: CommandContext): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: { corpus: { type: 'string', default: '' }, ...connectionFlags },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [file] = positionals;
  const requests = file === undefined ? [] : readCurated(readFileSync(file, 'utf8'), values.corpus);
  await using mesh = await connectMesh(context, values);
  const client = mesh.client(CuratedAnswerService);
  if (file === undefined) {
    for (let pageToken = ''; ; ) {
      const page = await client.listCuratedAnswers({ corpus: values.corpus, pageSize: 200, pageToken });
      for (const { id, corpus, questions, answer, title, url } of page.answers) {
        printJson({ id, corpus, questions, answer, title, url });
      }
      if (page.nextPageToken === '') return 0;
      pageToken = page.nextPageToken;
    }
  }
  for (const request of requests) await client.putCuratedAnswer(request);
  if (values.json) printJson({ loaded: requests.length });
  else process.stdout.write(`loaded ${requests.length} curated answers\n`);
  return 0;
}

/** Returns the answers of a file, one JSON object in each line. Throws CommandError with the number of a line that is none. */
export function readCurated(text: string, corpus: string) {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      const request = fromJson(PutCuratedAnswerRequestSchema, JSON.parse(line));
      return [{ ...request, corpus: request.corpus || corpus }];
    } catch (error) {
      throw new CommandError(`line ${index + 1} is no curated answer: ${(error as Error).message}`);
    }
  });
}
