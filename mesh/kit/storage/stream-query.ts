/** Refuses a query whose rows would be streamed: ragmesh reads a page at a time. Kysely's type of a connection asks for it. */
export function streamQuery(): AsyncIterableIterator<never> {
  throw new Error('streaming queries are not supported: read by pages');
}
