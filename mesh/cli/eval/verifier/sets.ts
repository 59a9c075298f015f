import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../../command.ts';

/** A sentence or phrase with its source, judged by a person. */
export interface JudgedClaim {
  /** Claims of one document are drawn together. */
  document: string;
  claim: string;
  source: string;
  isSupported: boolean;
}

/** Judged claims of one public set. */
export interface ClaimSet {
  name: string;
  claims: readonly JudgedClaim[];
}

/** Returns the sets in a folder, by the names and forms in which they are published. Throws CommandError if there is none. */
export function readClaimSets(folder: string): ClaimSet[] {
  if (!existsSync(folder)) throw new CommandError(`${folder} does not exist`);
  const sets: ClaimSet[] = [];
  for (const entry of readdirSync(folder).sort()) {
    const path = join(folder, entry);
    if (/uhgeval.*\.jsonl$/i.test(entry)) sets.push({ name: 'uhgeval', claims: readUhgEval(path) });
    else if (/expertqa.*\.jsonl$/i.test(entry)) sets.push({ name: 'expertqa', claims: readExpertQa(path) });
    else if (/faithbench/i.test(entry) && statSync(path).isDirectory()) {
      sets.push({ name: 'faithbench', claims: readFaithBench(path) });
    }
  }
  if (sets.length > 0) return sets;
  throw new CommandError(
    `${folder} has none of: *uhgeval*.jsonl, *expertqa*.jsonl, a folder faithbench with batch_*.json`,
  );
}

const linesOf = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

/** UHGEval: phrases of a continuation of Chinese news, each 合理 or 不合理, against the whole article. */
function readUhgEval(path: string): JudgedClaim[] {
  interface Row {
    id: string;
    headLine: string;
    broadcastDate: string;
    newsBeginning: string;
    newsRemainder: string;
    annotations: string[];
  }
  return (linesOf(path) as Row[]).flatMap((row) => {
    const source = [row.headLine, row.broadcastDate, row.newsBeginning, row.newsRemainder].join('\n');
    return row.annotations.map((annotation) => {
      const [claim = '', label = ''] = annotation.split('<sep>');
      return { document: row.id, claim, source, isSupported: label.startsWith('合理') };
    });
  });
}

/** ExpertQA: claims of answers with their evidence; complete support against partial or none. */
function readExpertQa(path: string): JudgedClaim[] {
  interface Row {
    question: string;
    answers: Record<string, { claims: { claim_string: string; evidence: string[]; support: string | null }[] }>;
  }
  return (linesOf(path) as Row[]).flatMap(({ question, answers }) =>
    Object.values(answers).flatMap(({ claims }) =>
      claims.flatMap(({ claim_string: text, evidence, support }) => {
        const source = evidence.map((part) => part.replace(/^\[\d+\]\s*\S+\s*/, '')).join('\n');
        if (source.trim() === '' || !['Complete', 'Partial', 'Incomplete'].includes(support ?? '')) return [];
        const claim = text.replaceAll(/\s*\[\d{1,3}\]/g, '');
        return [{ document: question, claim, source, isSupported: support === 'Complete' }];
      }),
    ),
  );
}

/** FaithBench: sentences of summaries; one is not supported if it overlaps a span that was judged unwanted or questionable. */
function readFaithBench(folder: string): JudgedClaim[] {
  interface Batch {
    samples: {
      sample_id: number;
      source: string;
      summary: string;
      annotations: { label: string[]; summary_start: number; summary_end: number }[];
    }[];
  }
  const files = readdirSync(folder).filter((name) => /^batch_\d+\.json$/.test(name));
  return files.flatMap((file) => {
    const { samples } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Batch;
    return samples.flatMap(({ sample_id: id, source, summary, annotations }) => {
      const wrong = annotations.filter(({ label }) => label.some((name) => /^(?:Unwanted|Questionable)/.test(name)));
      return [...summary.matchAll(/[^.!?\n]+[.!?]*(?:\s|$)/g)].flatMap((match) => {
        const [start, end] = [match.index, match.index + match[0].length];
        if (!/\p{L}/u.test(match[0])) return [];
        const isWrong = wrong.some((span) => span.summary_start < end && start < span.summary_end);
        return [{ document: `${file} ${id}`, claim: match[0].trim(), source, isSupported: !isWrong }];
      });
    });
  });
}
