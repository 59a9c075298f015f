import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import { invalidArgument } from '#kit/base/errors.ts';

/** Returns the times of a schedule: five fields of cron, in UTC; without one, once an hour. Throws INVALID_ARGUMENT. */
function cronOf(schedule: string, sourceId: string): Cron {
  // Sources without a schedule do not all run at the same minute.
  const minute = createHash('sha256').update(sourceId).digest().readUInt32BE() % 60;
  try {
    return new Cron(schedule.trim() || `${minute} * * * *`, { timezone: 'UTC', mode: '5-part', paused: true });
  } catch (error) {
    throw invalidArgument('settings.schedule: must be five fields of cron, in UTC, such as "0 3 * * *"', {
      cause: error,
    });
  }
}

/** Returns the next time of a schedule after `afterMs`, in milliseconds since 1970. Throws INVALID_ARGUMENT if there is none. */
export function nextRunAtMs(schedule: string, sourceId: string, afterMs: number): number {
  const at = cronOf(schedule, sourceId).nextRun(new Date(afterMs));
  if (at === null) throw invalidArgument(`settings.schedule: "${schedule}" has no time in the future`);
  return at.getTime();
}
