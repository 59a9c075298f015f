import { Gauge, type Registry } from 'prom-client';
import type { ReadinessReport } from '../readiness.ts';

/** Registers what a replica is and whether it can serve, read at each scrape. `version`: of the program. */
export function registerStateMetrics(registry: Registry, version: string, reports: () => ReadinessReport[]): void {
  const registers = [registry];
  new Gauge({
    name: 'ragmesh_build_info',
    help: 'Processes, by the version of the program and of Node',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.versions.node }, 1);
  new Gauge({
    name: 'ragmesh_service_ready',
    help: 'Whether a service of this process can serve: 1, or 0 if a store or provider that it needs is away',
    labelNames: ['service'],
    aggregator: 'min',
    registers,
    collect() {
      for (const { service, notReady } of reports()) this.set({ service }, notReady === undefined ? 1 : 0);
    },
  });
  new Gauge({
    name: 'ragmesh_service_degraded',
    help: 'Dependencies of a service that are away and that it serves without',
    labelNames: ['service'],
    aggregator: 'max',
    registers,
    collect() {
      for (const { service, degraded } of reports()) this.set({ service }, degraded.length);
    },
  });
}
