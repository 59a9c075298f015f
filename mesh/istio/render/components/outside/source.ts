import type { Model } from '../../../model/model.ts';
import type { SourceHost } from '../../../model/regions.ts';
import type { KubeObject } from '../../objects.ts';
import type { Component } from '../component.ts';
import { packetsOf, shutCallers, sidecarPatch } from './shut-callers.ts';
import { renderTlsWayOut } from './tls-way-out.ts';

/** Returns the component that opens the way to a place that sources read, for the workloads that read sources and for no other. */
export function renderSource(source: SourceHost, model: Model): Component {
  return {
    path: `sources/${source.name}`,
    resources: { 'source.yaml': sourceObjects(source, model) },
    patches: shutCallers(model, 'readsSources').map((caller) => sidecarPatch(caller, source.host, model)),
  };
}

/** Returns the objects of the component. */
export function sourceObjects({ name, host }: SourceHost, model: Model): KubeObject[] {
  const callers = model.workloads.filter(({ readsSources }) => readsSources);
  return [
    ...renderTlsWayOut({ name: `source-${name}`, host, callers }, model),
    ...packetsOf(`source-${name}`, shutCallers(model, 'readsSources'), model),
  ];
}
