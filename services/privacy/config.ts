import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';

/** How long a tenant keeps what, in milliseconds; `undefined`: as the service that has it says. */
export interface Retention {
  readonly tenant: string;
  readonly sessionsMs: number | undefined;
  readonly feedbackMs: number | undefined;
  readonly auditMs: number | undefined;
  readonly ledgerMs: number | undefined;
  readonly cacheMs: number | undefined;
}

/** Settings of the service. */
export interface PrivacySettings {
  readonly retention: readonly Retention[];
}

/** A day in milliseconds. */
export const dayMs = 86_400_000;
const toMs = (days: number | undefined): number | undefined => (days ? days * dayMs : undefined);

/** Returns the settings. */
export function readConfig({ privacy }: Config): PrivacySettings {
  const retention = (privacy?.retention ?? []).map(
    ({ tenant, sessionsDays, feedbackDays, auditDays, ledgerDays, cacheDays }): Retention => ({
      tenant,
      sessionsMs: toMs(sessionsDays),
      feedbackMs: toMs(feedbackDays),
      auditMs: toMs(auditDays),
      ledgerMs: toMs(ledgerDays),
      cacheMs: toMs(cacheDays),
    }),
  );
  return Object.freeze({ retention });
}
