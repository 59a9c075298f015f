import { ConnectError } from '@connectrpc/connect';
import pg from 'pg';
import { unavailable } from '../../base/errors.ts';

/** Codes of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html) that may pass, and what they mean. */
const causes: readonly (readonly [code: RegExp, meaning: string])[] = [
  [/^57P0[12]/, 'is restarting: try again'],
  [/^57P03/, 'is starting: try again'],
  [/^57014/, 'took too long for a statement: try again; the bound is storage.statement_timeout_ms'],
  [/^(25P03|57P05)/, 'ended an idle connection: try again'],
  [/^08/, 'lost the connection: try again'],
  [/^40/, 'had writes that exclude each other: try again'],
  [/^55P03/, 'is locked by another writer: try again'],
  [/^53300/, 'has no free connection: raise its max_connections, or lower storage.pool_size'],
  [/^53100/, 'has no space on its disk'],
  [/^53/, 'lacks resources: try again'],
  [/^25006/, 'accepts no writes: storage.database must name the primary'],
  [/^28/, 'rejects the user or the password of storage.database'],
  [/^3D000/, 'does not exist: create it, or correct storage.database'],
  [/^42501/, 'does not permit it: grant the user of storage.database CREATE on the database and its schemas'],
];

/** The code of a prepared statement whose tables have changed since. */
const featureNotSupported = '0A000';

/**
 * Returns a failure of PostgreSQL as an error that may cross a service: UNAVAILABLE with advice if the server is away, busy, or refuses
 * its user. Anything else, such as a violated constraint, is returned as it is: its code is for the caller, and without one it is a bug.
 */
export function toDatabaseError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof ConnectError) return thrown;
  if (thrown instanceof pg.DatabaseError) {
    const meaning = causes.find(([code]) => code.test(thrown.code ?? ''))?.[1];
    if (meaning !== undefined) return unavailable('database', `the database ${meaning}`, thrown);
    return isStalePlan(thrown) ? unavailable('database', 'the database has a new schema: try again', thrown) : thrown;
  }
  if (thrown instanceof TypeError || thrown instanceof RangeError) return thrown;
  return unavailable('database', 'the database cannot be reached: try again when it is back', thrown);
}

/** Whether a connection cannot be used after this error. */
export function isConnectionLost(thrown: unknown): boolean {
  return !(thrown instanceof pg.DatabaseError) || /^(08|57P0|25P03)/.test(thrown.code ?? '') || isStalePlan(thrown);
}

/** Whether waiting may help a first connection: the server is away or starting, but does not refuse its user. */
export function mayPass(thrown: unknown): boolean {
  return !(thrown instanceof pg.DatabaseError) || /^(08|57P|53)/.test(thrown.code ?? '');
}

function isStalePlan({ code, message }: pg.DatabaseError): boolean {
  return code === featureNotSupported && message.includes('cached plan');
}
