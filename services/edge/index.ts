import { defineService } from '#kit/host/define-service.ts';
import { readEdgeSettings } from './config.ts';
import { edgeNeeds } from './needs.ts';
import { createEdge } from './service.ts';

/** The door to the outside: Connect, gRPC-Web, gRPC, server-sent events and OpenAI's wire on one port. */
export const edge = defineService({
  name: 'edge',
  contracts: [],
  config: readEdgeSettings,
  needs: edgeNeeds,
  create: (deps) => createEdge(deps, edgeNeeds),
});
