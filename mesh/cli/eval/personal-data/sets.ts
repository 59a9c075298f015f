import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../../command.ts';

/** A text with the values in it, by kind of detector. */
export interface LabelledText {
  text: string;
  spans: readonly { kind: string; start: number; end: number }[];
}

/** Labelled texts of one public set. `kinds`: what it labels; other findings are not counted. */
export interface LabelledSet {
  name: string;
  kinds: readonly string[];
  texts: readonly LabelledText[];
}

/** Kinds of presidio-research, and ours. */
const presidioKinds: Readonly<Record<string, string>> = {
  CREDIT_CARD: 'BANK_CARD',
  EMAIL_ADDRESS: 'EMAIL',
  IBAN_CODE: 'IBAN',
  IP_ADDRESS: 'IP_ADDRESS',
  PERSON: 'PERSON',
  PHONE_NUMBER: 'PHONE',
  STREET_ADDRESS: 'ADDRESS',
  US_DRIVER_LICENSE: 'NATIONAL_ID',
  US_SSN: 'NATIONAL_ID',
};

/** Returns the labelled sets of a folder: presidio-synth*.json of presidio-research, phone-*.json of Recognizers-Text. */
export function readLabelledSets(folder: string): LabelledSet[] {
  if (!existsSync(folder)) throw new CommandError(`${folder} does not exist`);
  return readdirSync(folder)
    .sort()
    .flatMap((name): LabelledSet[] => {
      const read = () => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;
      if (/^presidio-synth.*\.json$/.test(name))
        return [{ name: 'presidio', kinds: [...new Set(Object.values(presidioKinds))], texts: readPresidio(read()) }];
      const language = /^phone-(\w+)\.json$/.exec(name)?.[1];
      return language === undefined ? [] : [{ name: `phone ${language}`, kinds: ['PHONE'], texts: readPhones(read()) }];
    });
}

function readPresidio(value: unknown): LabelledText[] {
  interface Row {
    full_text: string;
    spans: { entity_type: string; start_position: number; end_position: number }[];
  }
  return (value as Row[]).map(({ full_text: text, spans }) => ({
    text,
    spans: spans.map(({ entity_type: type, start_position: start, end_position: end }) => ({
      kind: presidioKinds[type] ?? type,
      start,
      end,
    })),
  }));
}

function readPhones(value: unknown): LabelledText[] {
  interface Row {
    Input: string;
    Results: { Text: string }[];
  }
  return (value as Row[]).map(({ Input: text, Results: results }) => ({
    text,
    spans: results.flatMap(({ Text }) => {
      // The labels are in one case, the texts are not.
      const start = text.toLowerCase().indexOf(Text.toLowerCase());
      return start < 0 ? [] : [{ kind: 'PHONE', start, end: start + Text.length }];
    }),
  }));
}

/** Yields title and text of each document of a corpus.jsonl. */
export function* readDocuments(folder: string): Generator<string> {
  const path = join(folder, 'corpus.jsonl');
  if (!existsSync(path)) throw new CommandError(`${path} does not exist: name folders with a corpus.jsonl`);
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === '') continue;
    const { title = '', text = '' } = JSON.parse(line) as { title?: string; text?: string };
    yield `${title}\n${text}`;
  }
}
