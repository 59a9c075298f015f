import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { detectLanguage } from '#kit/text/language.ts';
import { CommandError } from '../../command.ts';

/** A question, and what makes its answer right. */
export interface JudgedQuestion {
  /** Unique in its set: the subject and the line in its file, from 1. */
  id: string;
  text: string;
  language: 'zh' | 'en';
  /** What makes the question difficult: "price", "negated", … */
  kind: string;
  /** Questions of one subject are never both in the part that trains and in the part that tests. */
  subject: string;
  /** Facts that a right answer states, each in one of its wordings. None: the documents do not answer the question. */
  facts: readonly (readonly string[])[];
  /** Wordings that a right answer does not have. */
  forbidden: readonly string[];
}

/** Documents, and judged questions about them. */
export interface AnswerSet {
  name: string;
  /** Files and folders of the documents. */
  documents: readonly string[];
  /** File of the terms that the tenant has during the questions; `undefined` without any. */
  terms: string | undefined;
  questions: readonly JudgedQuestion[];
}

const deployments = fileURLToPath(new URL('../../../../deployments', import.meta.url));

/** The folder of the judged questions that the project has. */
export const answerGold = join(deployments, 'answer-gold');

/** The documents of the sample knowledge base, and its terms. */
export const sample = join(deployments, 'sample');
export const sampleTerms = join(deployments, 'sample-terms.json');

const shop = 'shop';

/**
 * Reads the judged questions of a folder: `shop/` has a file of questions for each subject of the sample knowledge base; every other
 * folder has its documents and questions.tsv.
 */
export function readAnswerSets(folder: string): AnswerSet[] {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  if (names.length === 0) throw new CommandError(`${folder} has no set: a folder with documents and questions.tsv`);
  return names.map(({ name }) => {
    const files = readdirSync(join(folder, name)).sort();
    const tables = files.filter((file) => file.endsWith('.tsv'));
    const questions = tables.flatMap((file) => {
      const subject = file === 'questions.tsv' ? name : basename(file, '.tsv');
      return readQuestions(readFileSync(join(folder, name, file), 'utf8'), subject);
    });
    const isShop = name === shop;
    const documents = files.filter((file) => !file.endsWith('.tsv')).map((file) => join(folder, name, file));
    // As a customer sees it: without the documents for staff and sellers.
    const forCustomers = ['en', 'zh'].map((language) => join(sample, language));
    return {
      name,
      documents: isShop ? forCustomers : documents,
      terms: isShop ? sampleTerms : undefined,
      questions,
    };
  });
}

/**
 * Reads a table of questions: the question, its kind, its facts (joined by "&", wordings of one by "|"), and forbidden wordings, between
 * tabs. Empty lines do not count.
 */
export function readQuestions(table: string, subject: string): JudgedQuestion[] {
  return table.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const [text = '', kind = '', facts = '', forbidden = '', ...more] = line.split('\t');
    if (text === '' || kind === '' || more.length > 0) {
      throw new CommandError(`${subject}, line ${index + 1}: expected question, kind, facts and forbidden wordings`);
    }
    return {
      id: `${subject}-${index + 1}`,
      text,
      language: detectLanguage(text) === 'zh' ? 'zh' : 'en',
      kind,
      subject,
      facts: partsOf(facts, '&').map((fact) => partsOf(fact, '|')),
      forbidden: partsOf(forbidden, '|'),
    };
  });
}

function partsOf(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
