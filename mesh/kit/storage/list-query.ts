import type { CompiledQuery, Kysely } from 'kysely';
import { type Engine, engineOf } from './engine.ts';

/** Counts of values whose SQL is kept for an engine. */
const maxKept = 1000;
/** Begins the parameters that are values of the list; no other parameter of a query begins so. */
const mark = '\0value ';

/**
 * A query whose only parameters that change are a list of texts. Its SQL is made once for each number of texts: making it costs more than
 * a small query.
 */
export function createListQuery<Schema, Out>(
  toQuery: (db: Kysely<Schema>, values: readonly string[]) => { compile(): CompiledQuery<Out> },
): (db: Kysely<Schema>, values: readonly string[]) => Promise<Out[]> {
  const known: Record<Engine, Map<number, CompiledQuery<Out>>> = { sqlite: new Map(), postgres: new Map() };
  return async (db, values) => {
    const queries = known[engineOf(db)];
    let query = queries.get(values.length);
    if (query === undefined) {
      const marks = values.map((_, index) => `${mark}${index}`);
      query = toQuery(db, marks).compile();
      if (queries.size >= maxKept) queries.clear();
      queries.set(values.length, query);
    }
    const parameters = query.parameters.map((parameter) =>
      typeof parameter === 'string' && parameter.startsWith(mark)
        ? values[Number(parameter.slice(mark.length))]
        : parameter,
    );
    return (await db.executeQuery<Out>({ ...query, parameters })).rows;
  };
}
