import { type Health, HealthCheckResponse_ServingStatus as Status } from '#gen/health/v1/health_pb.ts';
import { notFound } from '../base/errors.ts';
import { sleep } from '../base/streams.ts';
import type { ServiceHandlers } from '../rpc/handlers.ts';

/** Functions by contract name; each returns why the contract cannot be served now, `undefined` if it can. */
export type HealthNames = ReadonlyMap<string, () => string | undefined>;

/** The name whose status is SERVING whenever the process answers: for probes that restart a process that does not. */
export const livenessName = 'liveness';

/** Time between two looks at a watched name, in milliseconds. */
const watchMs = 500;

/**
 * Creates `grpc.health.v1`: a status by contract name ("ragmesh.chat.v1.ChatService"), and "" for the process as a whole. The status
 * is readiness, except that of {@link livenessName}.
 */
export function createHealth(names: HealthNames): ServiceHandlers<typeof Health> {
  const statusOf = (name: string): Status => {
    if (name === '') {
      const isReady = [...names.values()].every((notReady) => notReady() === undefined);
      return isReady ? Status.SERVING : Status.NOT_SERVING;
    }
    if (name === livenessName) return Status.SERVING;
    const notReady = names.get(name);
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
      const all = ['', livenessName, ...names.keys()];
      return { statuses: Object.fromEntries(all.map((name) => [name, { status: statusOf(name) }])) };
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
