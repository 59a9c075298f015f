import { type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Owner } from '../sessions/owner.ts';
import type { SessionSchema } from '../sessions/schema.ts';

/** Creates the store of legal holds: what is stored of a held user stays. */
export function createHolds(database: Database<SessionSchema>) {
  return {
    /** Holds a user, or releases one. An empty user: all of the tenant. */
    async setHold({ tenant, user }: Owner, isHeld: boolean): Promise<void> {
      if (isHeld) {
        const row = { tenant, user };
        await database
          .insertInto('legal_hold')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        return;
      }
      await database.deleteFrom('legal_hold').where('tenant', '=', tenant).where('user', '=', user).execute();
    },
  };
}

/** Throws FAILED_PRECONDITION, reason LEGAL_HOLD, if a user or the tenant is held. */
export async function requireNoHold(database: Database<SessionSchema>, { tenant, user }: Owner): Promise<void> {
  const held = await database
    .selectFrom('legal_hold')
    .select('tenant')
    .where('tenant', '=', tenant)
    .where('user', 'in', ['', user])
    .limit(1)
    .executeTakeFirst();
  if (held === undefined) return;
  throw failedPrecondition(ErrorReason.LEGAL_HOLD, 'a legal hold keeps this: release it first');
}

/** Returns the condition that the user of a row is not held. */
export function isNotHeld(table: 'session' | 'answer' | 'rating' | 'inbox_question') {
  return ({ not, exists, selectFrom }: ExpressionBuilder<SessionSchema, typeof table>) =>
    not(
      exists(
        selectFrom('legal_hold')
          .select('legal_hold.tenant')
          .whereRef('legal_hold.tenant', '=', sql.ref(`${table}.tenant`))
          .where(sql<SqlBool>`legal_hold."user" IN ('', ${sql.ref(`${table}.user`)})`),
      ),
    );
}
