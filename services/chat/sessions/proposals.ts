import type { Database } from '#kit/storage/database.ts';
import type { Owner } from './owner.ts';
import type { SessionSchema } from './schema.ts';

/** A call of a tool that waits for its caller's approval. */
export interface Proposal {
  readonly callId: string;
  readonly tool: string;
  readonly argumentsJson: string;
  /** The question that led to it. */
  readonly question: string;
  readonly expiresAtMs: number;
}

/** Creates the calls that wait. Each is taken once, by one process, however many ask for it. */
export function createProposals(database: Database<SessionSchema>, clock: () => number) {
  return {
    /** Keeps a call until it is taken or has expired. */
    async propose(
      { tenant, user }: Owner,
      { callId, tool, argumentsJson, question, expiresAtMs }: Proposal,
    ): Promise<void> {
      await database.deleteFrom('tool_proposal').where('expires_at', '<=', clock()).execute();
      const row = { call_id: callId, tenant, user, tool, arguments: argumentsJson, question, expires_at: expiresAtMs };
      await database.insertInto('tool_proposal').values(row).execute();
    },

    /** Takes a call of the owner; `undefined` if it was taken, has expired, or is another owner's. */
    async takeProposal({ tenant, user }: Owner, callId: string): Promise<Proposal | undefined> {
      const [row] = await database
        .deleteFrom('tool_proposal')
        .where('call_id', '=', callId)
        .where('tenant', '=', tenant)
        .where('user', '=', user)
        .where('expires_at', '>', clock())
        .returningAll()
        .execute();
      if (row === undefined) return undefined;
      const { tool, arguments: argumentsJson, question, expires_at: expiresAtMs } = row;
      return { callId, tool, argumentsJson, question, expiresAtMs };
    },
  };
}
