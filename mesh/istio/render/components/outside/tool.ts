import type { Model } from '../../../model/model.ts';
import type { ToolHost } from '../../../model/regions.ts';
import type { KubeObject } from '../../objects.ts';
import type { Component } from '../component.ts';
import { packetsOf, shutCallers, sidecarPatch } from './shut-callers.ts';
import { renderWayOut } from './way-out.ts';

/**
 * Returns the component that opens the way to a system that tools call, for the workloads that call tools and for no other. Their sidecars
 * then know this host and no provider of models.
 */
export function renderTool(tool: ToolHost, model: Model): Component {
  return {
    path: `tools/${tool.name}`,
    resources: { 'tool.yaml': toolObjects(tool, model) },
    patches: shutCallers(model, 'callsTools').map((caller) => sidecarPatch(caller, tool.host, model)),
  };
}

/** Returns the objects of the component. */
export function toolObjects({ name, host }: ToolHost, model: Model): KubeObject[] {
  const callers = model.workloads.filter(({ callsTools }) => callsTools);
  return [
    ...renderWayOut({ name: `tool-${name}`, host, callers }, model),
    ...packetsOf(`tool-${name}`, shutCallers(model, 'callsTools'), model),
  ];
}
