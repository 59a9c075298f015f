import { hostOf } from './installation.ts';
import type { Model } from './model.ts';

/** A provider of models outside of the mesh, by its name in `components/providers`. */
export interface Provider {
  readonly name: string;
  readonly host: string;
}

/** Providers with a component. Others are added in the same way. */
export const providers: readonly Provider[] = [
  { name: 'anthropic', host: 'api.anthropic.com' },
  { name: 'dashscope', host: 'dashscope.aliyuncs.com' },
  { name: 'openai', host: 'api.openai.com' },
  { name: 'volcengine', host: 'ark.cn-beijing.volces.com' },
];

/** A system outside of the mesh that tools call, by its name in `components/tools`. */
export interface ToolHost {
  readonly name: string;
  readonly host: string;
}

/** An example. Others are added in the same way. */
export const toolHosts: readonly ToolHost[] = [{ name: 'orders', host: 'orders.example.com' }];

/** A place outside of the mesh that sources of documents read over TLS, by its name in `components/sources`. */
export interface SourceHost {
  readonly name: string;
  readonly host: string;
}

/** An example. Others are added in the same way. */
export const sourceHosts: readonly SourceHost[] = [{ name: 'help-center', host: 'help.example.com' }];

/** A cluster with a control plane of its own, in a network of its own; all regions are one mesh. */
export interface Region {
  /** Name of the cluster, the network and the overlay `region-<name>`. */
  readonly name: string;
  /** Providers that its calls may reach. */
  readonly providers: readonly string[];
  /** Tenants that are bound to the region: no other region serves them. */
  readonly boundTenants: readonly string[];
}

export const regions: readonly Region[] = [
  { name: 'cn', providers: ['dashscope', 'volcengine'], boundTenants: ['demo-cn'] },
  { name: 'eu', providers: ['anthropic', 'openai'], boundTenants: ['demo-eu'] },
];

/** Hosts of workloads that a replica of another region may serve. They are all that gateways between regions pass. */
export function sharedHosts({ workloads, installation }: Model): string[] {
  return workloads.filter(({ failsOver }) => failsOver).map(({ name }) => hostOf(name, installation));
}

/** Hosts whose calls never leave a cluster. */
export function regionalHosts({ workloads, installation }: Model): string[] {
  return workloads.filter(({ failsOver }) => !failsOver).map(({ name }) => hostOf(name, installation));
}
