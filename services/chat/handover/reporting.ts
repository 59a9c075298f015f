import type { Logger } from '#kit/base/log.ts';
import type { BackgroundTasks } from '../answer/background.ts';
import type { HandoverDesk, HandoverRequest } from './desk.ts';

/** Longest time of a report with its retries, in milliseconds; a shutdown waits for it. */
const maxReportMs = 30_000;

/** Creates the report of conversations that wait. It never delays an answer; a desk that is away is logged. */
export function createReporting(desk: HandoverDesk | undefined, background: BackgroundTasks, log: Logger) {
  return (request: HandoverRequest): void => {
    if (desk === undefined) return;
    void background.run('reporting a hand-over', async () => {
      await desk.report(request, AbortSignal.timeout(maxReportMs));
      log.info({ event: 'handover_reported', answer_id: request.answerId }, 'hand-over reported');
    });
  };
}
