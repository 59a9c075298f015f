import { negates } from '../passage/negating.ts';
import { matchTerm, type SearchText } from '../passage/search-text.ts';
import { extraWordsOf, headingOf } from '../rank/brief.ts';
import type { Candidate, Evidence } from '../rank/evidence.ts';
import { firstStatements, outlineOf, showsWanted, topicOf } from './outline.ts';
import type { Quotation } from './quotation.ts';

// The sentence that is most similar to a short question is often about a special case: 保修多久 finds the warranty of exchanged goods first.

/** How well the heading and the title together must match each word of the topic. */
const minMatch = 0.7;
/** Longest outline in place of a special case, in sections. */
const maxSections = 5;

/**
 * Returns what to quote instead of the best candidate if its section is about a more special case than the question: the section that says
 * the same with the fewest other words in its heading and title, or the page. Nothing if there is none.
 */
export function generalInstead(evidence: Evidence, best: Candidate): Quotation[] {
  if (!evidence.isOfSection) return [];
  const counts = extraWordsOf(evidence);
  const extrasOf = (candidate: Candidate): number => {
    const { title } = candidate.source.text;
    const heading = headingOf(candidate);
    return (counts.get(heading) ?? 0) + (heading.plain === title.plain ? 0 : (counts.get(title) ?? 0));
  };
  const topic = topicOf(evidence);
  const inHeading = (heading: SearchText) => topic.reduce((sum, term) => sum + matchTerm(term, heading), 0);
  const special = { extras: extrasOf(best), match: inHeading(headingOf(best)) };
  if (special.extras === 0 || negates(evidence.question.plain) || isDetail(evidence, best)) return [];
  let least = special.extras;
  let chosen: Quotation[] = [];
  for (const source of evidence.sources.filter(({ isForeign }) => !isForeign)) {
    for (const section of firstStatements(source)) {
      const [first] = section.candidates as [Candidate];
      const heading = headingOf(first);
      const extras = extrasOf(first);
      const isCovered = topic.every(
        (term) => Math.max(matchTerm(term, heading), matchTerm(term, source.text.title)) >= minMatch,
      );
      if (extras >= least || !isCovered || inHeading(heading) < special.match) continue;
      if (!showsWanted(evidence, section)) continue;
      least = extras;
      chosen = [section];
    }
  }
  if (chosen.length > 0 || evidence.question.wants !== undefined) return chosen;
  return outlineOf(evidence).slice(0, maxSections);
}

/** Returns whether a candidate has a word of the question that neither its heading nor its title has: it is about that detail. */
function isDetail({ question: { terms } }: Evidence, best: Candidate): boolean {
  const { title } = best.source.text;
  return terms.some(
    (term, at) => best.own[at] === 1 && Math.max(matchTerm(term, headingOf(best)), matchTerm(term, title)) < 1,
  );
}
