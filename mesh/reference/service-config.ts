import type { DescService } from '@bufbuild/protobuf';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { serviceConfig } from '#kit/rpc/grpc/client.ts';
import { policyOf } from '#kit/rpc/policy.ts';

interface MethodConfig {
  name: { service: string; method: string }[];
  timeout?: string;
}

/**
 * Renders the gRPC service config of all contracts, for clients of any language: the timeout of each rpc, and the retries that the contract
 * allows (https://github.com/grpc/grpc/blob/master/doc/service_config.md).
 */
export function renderServiceConfig(services: readonly Pick<ServiceDefinition, 'contracts'>[]): string {
  const contracts = services.flatMap(({ contracts }) => contracts as readonly DescService[]);
  const methods = contracts.flatMap(({ methods }) => methods);
  const { methodConfig, ...rest } = serviceConfig(methods) as { methodConfig: MethodConfig[] };
  const retried = new Map(methodConfig.map((config) => [keyOf(config.name[0]), config]));
  const all = methods.map((method) => {
    const name = { service: method.parent.typeName, method: method.name };
    const { timeoutMs } = policyOf(method);
    return {
      name: [name],
      ...(timeoutMs === 0 ? {} : { timeout: `${timeoutMs / 1000}s` }),
      ...(retried.get(keyOf(name)) ?? {}),
    };
  });
  return `${JSON.stringify({ ...rest, methodConfig: all }, null, 2)}\n`;
}

const keyOf = (name: MethodConfig['name'][number] | undefined) => `${name?.service}/${name?.method}`;
