import type { QueryWord } from '#kit/text/query/query-words.ts';
import { bm25 } from '../stores/bm25.ts';
import { type Change, forever, type IndexRow, type RowFilter } from '../stores/index-row.ts';
import { passes } from '../suites/row-filter.suite.ts';

/** A row with its versions. */
export type ModelRow<R extends IndexRow> = R & { addedIn: number; removedIn: number };

/** A plain model of the rows of a corpus, which every store must equal. */
export interface RowModel<R extends IndexRow> {
  apply(change: Change<R>): void;
  /** Returns the rows of a version. */
  at(version: number): ModelRow<R>[];
  /** Returns the rows that a search of the version may find. */
  visible(version: number, aclIds: readonly number[], filter: RowFilter | undefined): ModelRow<R>[];
}

/** Creates a model without rows. */
export function createRowModel<R extends IndexRow>(): RowModel<R> {
  let rows: ModelRow<R>[] = [];
  const at = (version: number) => rows.filter((row) => row.addedIn <= version && row.removedIn > version);
  return {
    apply(change) {
      switch (change.kind) {
        case 'replace': {
          const isNamed = ({ documentId }: R) => change.documentIds.includes(documentId);
          rows = rows.filter((row) => !isNamed(row) || row.addedIn !== change.version);
          for (const row of rows) if (isNamed(row) && row.removedIn === forever) row.removedIn = change.version;
          rows.push(...change.rows.map((row) => ({ ...row, addedIn: change.version, removedIn: forever })));
          break;
        }
        case 'retain':
          rows = rows.filter((row) => row.addedIn <= change.newest && row.removedIn > change.oldest);
          for (const row of rows) if (row.removedIn > change.newest) row.removedIn = forever;
          break;
        case 'purge':
          rows = rows.filter(({ documentId }) => !change.documentIds.includes(documentId));
          break;
        case 'access':
          for (const row of rows) {
            if (change.documentIds.includes(row.documentId) && row.addedIn <= change.version) row.aclId = change.aclId;
          }
          break;
        case 'forget':
          rows = rows.filter(({ key }) => !change.keys.includes(key));
          break;
        default:
          change satisfies never;
      }
    },
    at,
    visible: (version, aclIds, filter) =>
      at(version).filter((row) => aclIds.includes(row.aclId) && (filter === undefined || passes(row, filter))),
  };
}

/** Returns the BM25 scores of texts by the formula of the documentation, with the statistics of `all` texts. Texts without a word are absent. */
export function bm25Scores<T extends { text: string }>(all: readonly T[], asked: readonly QueryWord[]): Map<T, number> {
  const { k1, b } = bm25;
  const split = new Map(all.map((row) => [row, row.text.split(' ')]));
  const meanLength = all.reduce((sum, row) => sum + (split.get(row)?.length ?? 0), 0) / Math.max(1, all.length);
  const scores = new Map<T, number>();
  for (const { word, weight } of asked) {
    const frequency = all.filter((row) => split.get(row)?.includes(word)).length;
    const idf = Math.log(1 + (all.length - frequency + 0.5) / (frequency + 0.5));
    for (const row of all) {
      const words = split.get(row) ?? [];
      const count = words.filter((other) => other === word).length;
      const norm = k1 * (1 - b + (b * words.length) / meanLength);
      if (count > 0) scores.set(row, (scores.get(row) ?? 0) + (weight * idf * count * (k1 + 1)) / (count + norm));
    }
  }
  return scores;
}
