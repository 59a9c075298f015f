import { matchTerm, toSearchText } from '../passage/search-text.ts';
import type { Question, Term } from '../question/question.ts';
import type { Candidate, Evidence } from '../rank/evidence.ts';
import { type Quotation, quoteWithContext } from './quotation.ts';

/** How well a label matches the name of its thing: the kind of the thing or another word for it suffices. */
const minLabel = 0.7;
/** How well a row with its headings matches the aspect that is compared. */
const minAspect = 0.6;
/** Terms of a lower weight only say that things are compared: longer, difference. */
const minWeight = 0.9;

/**
 * Returns the quotation for each question of a comparison whose things are rows of one table or items of one list: Gold and Platinum. A
 * table of many columns is preferred if no aspect is asked for. Empty if no table has all of the things, or none has the aspect.
 */
export function compareRows(evidences: readonly Evidence[]): ReadonlyMap<Question, Quotation> {
  const compared = evidences.filter(({ question }) => question.compared !== undefined);
  const [first] = compared;
  if (first === undefined || compared.length < 2) return new Map();
  const shared = (term: Term) =>
    compared.every(({ question }) => question.terms.some(({ text }) => text === term.text));
  let best: { worth: number; rows: ReadonlyMap<Question, Quotation> } = { worth: 0, rows: new Map() };
  for (const { rank, isForeign, text } of first.sources) {
    if (isForeign) continue;
    for (const block of new Set(text.units.map((unit) => unit.block))) {
      const found = compared.flatMap((evidence) => {
        const row = rowOf(evidence, rank, block, shared);
        return row === undefined ? [] : [{ question: evidence.question, row }];
      });
      if (new Set(found.map(({ row }) => row.index)).size < compared.length) continue;
      const worth = Math.min(...found.map(({ row }) => row.unit.cells.length + 1));
      if (worth <= best.worth) continue;
      const quotations = found.map(
        ({ question, row }) => [question, quoteWithContext({ ...question, form: 'fact' }, row)] as const,
      );
      best = { worth, rows: new Map(quotations) };
    }
  }
  return best.rows;
}

/** Returns the row or item of a table or list that is labelled with the compared thing and has the aspect; the first one. */
function rowOf(
  { question, sources }: Evidence,
  rank: number,
  block: number,
  isShared: (term: Term) => boolean,
): Candidate | undefined {
  const names = question.terms.flatMap((term, at) => (term.isFocus && !isShared(term) ? [at] : []));
  const aspects = question.terms.flatMap((term, at) =>
    term.isFocus && isShared(term) && term.weight >= minWeight ? [at] : [],
  );
  if (names.length === 0) return undefined;
  return sources[rank]?.candidates.find((candidate) => {
    const label = candidate.unit.block === block ? labelOf(candidate) : undefined;
    if (label === undefined) return false;
    const searched = toSearchText(label);
    return (
      names.every((at) => matchTerm(question.terms[at] as Term, searched) >= minLabel) &&
      aspects.every((at) => (candidate.titled[at] as number) >= minAspect)
    );
  });
}

function labelOf({ unit }: Candidate): string | undefined {
  if (unit.kind === 'row') return unit.cells[0]?.value;
  return unit.kind === 'step' ? /^[^:：]{1,40}(?=[:：])/.exec(unit.text)?.[0] : undefined;
}
