import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { readConfigValue } from '#kit/host/config/config.ts';
import { usesPostgres } from '#kit/host/define-service.ts';
import type { Model } from '../model/model.ts';
import type { Workload } from '../model/workload.ts';
import { configOf } from '../render/workload/config.ts';

/** Returns a problem for each service of a workload that may have several replicas, and whose replicas would not share their state. */
export function replicaProblems({ services, replicas }: Workload, config: Config): string[] {
  if (replicas.max <= 1) return [];
  return services
    .filter(({ deployment }) => !(deployment?.isShared ?? usesPostgres)(config))
    .map(
      ({ name }) =>
        `${name} has up to ${replicas.max} replicas and keeps state in its own files or memory: name its stores in the deployment of services/${name}/index.ts, or set replicas to 1`,
    );
}

/** Throws if a workload has several replicas that would not share their state. */
export function refuseReplicas(model: Model): void {
  const anyValue = new Proxy({}, { get: () => 'set' });
  const problems = model.workloads.flatMap((workload) =>
    replicaProblems(workload, readConfigValue(configOf(workload, model), anyValue).config),
  );
  if (problems.length > 0) throw new Error(problems.join('\n'));
}
