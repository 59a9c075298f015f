import type { ServiceDefinition } from '../define-service.ts';
import { allNeeds } from '../reach.ts';

/** Returns services so that each comes after those that it needs. Throws if two need each other. */
export function inOrderOfNeeds(services: readonly ServiceDefinition[]): ServiceDefinition[] {
  const ordered: ServiceDefinition[] = [];
  const visiting = new Set<ServiceDefinition>();
  const visit = (service: ServiceDefinition) => {
    if (ordered.includes(service)) return;
    if (visiting.has(service)) throw new Error(`the needs of ${service.name} lead back to itself`);
    visiting.add(service);
    for (const { contract } of allNeeds(service, services)) {
      const needed = services.find((candidate) => candidate.contracts.includes(contract));
      if (needed !== undefined) visit(needed);
    }
    visiting.delete(service);
    ordered.push(service);
  };
  for (const service of services) visit(service);
  return ordered;
}

/** Throws if two contracts of a service have an rpc of the same name: they share one implementation object. */
export function checkRpcNames({ name, contracts }: ServiceDefinition): void {
  const seen = new Set<string>();
  for (const method of contracts.flatMap(({ methods }) => methods)) {
    if (seen.has(method.localName)) throw new Error(`two contracts of ${name} have an rpc ${method.name}: rename one`);
    seen.add(method.localName);
  }
}
