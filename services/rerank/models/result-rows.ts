/** Rows `{index, relevance_score}`, which most providers send, as raw scores; what is no list goes through, and is refused later. */
export function relevanceRows(rows: unknown): unknown {
  if (!Array.isArray(rows)) return rows;
  return rows.map((row: { index?: unknown; relevance_score?: unknown } | null) => ({
    index: row?.index,
    score: row?.relevance_score,
  }));
}
