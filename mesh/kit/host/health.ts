import { type Health, HealthCheckResponse_ServingStatus as Status } from '#gen/health/v1/health_pb.ts';
import { notFound } from '../base/errors.ts';
import { sleep } from '../base/streams.ts';
import type { ServiceHandlers } from '../rpc/handlers.ts';

/** What can be asked for health: a name, and why it can't serve now (`undefined`: it can). */
export type Readiness = ReadonlyMap<string, () => string | undefined>;

/** How often a watched service is looked at, in milliseconds. */
const watchMs = 500;

/**
 * `grpc.health.v1`: a status by contract name ("ragmesh.chat.v1.ChatService"), and "" for the process as a whole. It speaks
 * of readiness; that the process lives shows in its answering at all.
 */
export function createHealth(readiness: Readiness): ServiceHandlers<typeof Health> {
  const statusOf = (service: string): Status => {
    if (service === '') {
      const allReady = [...readiness.values()].every((notReady) => notReady() === undefined);
      return allReady ? Status.SERVING : Status.NOT_SERVING;
    }
    const notReady = readiness.get(service);
    if (notReady === undefined) return Status.SERVICE_UNKNOWN;
    return notReady() === undefined ? Status.SERVING : Status.NOT_SERVING;
  };
  return {
    check({ service }) {
      const status = statusOf(service);
      if (status === Status.SERVICE_UNKNOWN) throw notFound('service', service);
      return { status };
    },
    list() {
      const names = ['', ...readiness.keys()];
      return { statuses: Object.fromEntries(names.map((name) => [name, { status: statusOf(name) }])) };
    },
    async *watch({ service }, context) {
      let last: Status | undefined;
      while (!context.signal.aborted) {
        const status = statusOf(service);
        if (status !== last) yield { status };
        last = status;
        await sleep(watchMs, context.signal);
      }
    },
  };
}
