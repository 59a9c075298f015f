import type { Model } from '../../../model/model.ts';
import type { Provider } from '../../../model/regions.ts';
import type { Component } from '../component.ts';
import { renderWayOut } from './way-out.ts';

/** Returns the component that opens the way to a provider of models, for the workloads that call providers. */
export function renderProvider({ name, host }: Provider, model: Model): Component {
  const callers = model.workloads.filter(({ callsProviders }) => callsProviders);
  return { path: `providers/${name}`, resources: { 'provider.yaml': renderWayOut({ name, host, callers }, model) } };
}
