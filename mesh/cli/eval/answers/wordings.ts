import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import type { Asked } from './ask.ts';
import type { JudgedQuestion } from './questions.ts';

/** The name under which the questions of the sample knowledge base are asked. */
export const goldSet = 'gold';

/** What becomes of questions in other words. */
export interface LostWording {
  name: string;
  /** Number of questions that are answered rightly in their own words; for traditional characters, all Chinese ones. */
  count: number;
  /** Those that are not, or not in the same way, in the other words. */
  lost: string[];
  /** How many may be lost. */
  mayLose: number;
}

const folder = new URL('../../../../deployments/sample-gold/', import.meta.url);
const linesOf = (name: string) =>
  readFileSync(fileURLToPath(new URL(name, folder)), 'utf8')
    .split('\n')
    .filter(Boolean);

/** Reads the questions of the sample knowledge base with the documents that answer each. */
export function readGold(): { question: JudgedQuestion; documents: ReadonlySet<string> }[] {
  const judged = linesOf('qrels.tsv').map((line) => line.split('\t') as [query: string, document: string]);
  return linesOf('queries.jsonl').map((line) => {
    const { id, text } = JSON.parse(line) as { id: string; text: string };
    const documents = new Set(judged.filter(([query]) => query === id).map(([, document]) => document));
    return { question: questionOf(id, text), documents };
  });
}

function questionOf(id: string, text: string): JudgedQuestion {
  const language = detectLanguage(text) === 'zh' ? 'zh' : 'en';
  return { id, text, language, kind: goldSet, subject: goldSet, facts: [], forbidden: [] };
}

/** Returns a question with courtesy around it. */
export function dressUp({ text, language }: Pick<JudgedQuestion, 'text' | 'language'>): string {
  return language === 'zh'
    ? `你好，请问一下，${text.replace(/[？?]$/, '')}？谢谢啦！`
    : `Hi there, quick question: ${text} Thanks a lot in advance!`;
}

/** The first traditional form of each simplified character. A word may be written otherwise; what is read is the same. */
const traditional = new Map<string, string>();
for (let code = 0x4e00; code <= 0x9fff; code++) {
  const form = String.fromCharCode(code);
  const simplified = foldTraditional(form);
  if (simplified !== form && !traditional.has(simplified)) traditional.set(simplified, form);
}

/** Returns a text in traditional characters. */
export const toTraditional = (text: string): string =>
  text.replace(/\p{sc=Han}/gu, (one) => traditional.get(one) ?? one);

/** Asks each question in its own words and in others. */
export async function askWordings(ask: (question: JudgedQuestion) => Promise<Asked>): Promise<LostWording[]> {
  const dressed = { zh: wording('with courtesy zh', 1), en: wording('with courtesy en', 1) };
  const inTraditional = wording('traditional', 0);
  for (const { question, documents } of readGold()) {
    const cites = ({ cited, passages }: Asked) => cited.some((at) => documents.has(passages[at]?.documentId ?? ''));
    const own = await ask(question);
    if (cites(own)) {
      const courteous = await ask({ ...question, text: dressUp(question) });
      count(dressed[question.language], question.text, cites(courteous));
    }
    if (question.language !== 'zh') continue;
    const other = await ask({ ...question, text: toTraditional(question.text) });
    count(inTraditional, question.text, foldTraditional(other.text) === foldTraditional(own.text));
  }
  return [dressed.zh, dressed.en, inTraditional];
}

const wording = (name: string, mayLose: number): LostWording => ({ name, count: 0, lost: [], mayLose });

function count(into: LostWording, question: string, isKept: boolean): void {
  into.count++;
  if (!isKept) into.lost.push(question);
}

/** Returns a row for each wording, with the questions that it loses. */
export function describeWordings(wordings: readonly LostWording[]): string {
  const rows = wordings.map(({ name, count: all, lost, mayLose }) => {
    const verdict = lost.length > mayLose ? 'TOO MANY' : 'met';
    const row = `  ${name.padEnd(18)} ${String(all).padStart(4)}  lost ${lost.length}, at most ${mayLose}: ${verdict}`;
    return [row, ...lost.map((question) => `      ${question}`)].join('\n');
  });
  return rows.length === 0 ? '' : `\nquestions of the sample in other words\n${rows.join('\n')}\n`;
}
