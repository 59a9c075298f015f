import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/** A selector of a query: `name{label="…"}`. */
export interface Selector {
  readonly metric: string;
  /** Labels that it matches, with the text of the matcher's value. */
  readonly matchers: readonly (readonly [label: string, value: string])[];
}

/** What a query reads. */
export interface ParsedQuery {
  readonly selectors: readonly Selector[];
  /** Labels by which it groups or joins. */
  readonly grouping: readonly string[];
}

/** Parses a query, with Grafana's variables replaced. Throws with the place of the first error. */
export function parseQuery(text: string): ParsedQuery {
  const query = text.replaceAll('$__rate_interval', '5m').replaceAll('$region', '.*');
  const selectors: Selector[] = [];
  const grouping: string[] = [];
  const textOf = (node: SyntaxNode | null | undefined) => (node ? query.slice(node.from, node.to) : '');
  parser.parse(query).iterate({
    enter(ref) {
      const { node } = ref;
      if (node.type.isError) {
        throw new Error(
          `not PromQL at "${query.slice(Math.max(0, ref.from - 30), ref.from)}⟨here⟩${query.slice(ref.from, ref.from + 30)}"`,
        );
      }
      if (node.name === 'GroupingLabels') grouping.push(...node.getChildren('LabelName').map(textOf));
      if (node.name !== 'VectorSelector') return;
      const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
      selectors.push({
        metric: textOf(node.getChild('Identifier')),
        matchers: matchers.map(
          (each) => [textOf(each.getChild('LabelName')), textOf(each.getChild('StringLiteral'))] as const,
        ),
      });
    },
  });
  if (selectors.length === 0 && !query.startsWith('vector(')) throw new Error(`reads no metric: ${query}`);
  return { selectors, grouping };
}
