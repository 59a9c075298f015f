import { defineService } from '#kit/host/define-service.ts';
import { longestDrainMs, sharedRedis } from '#kit/host/deployment.ts';
import { openEdgeState } from './admission/edge-state.ts';
import { readEdgeSettings } from './config.ts';
import { edgeNeeds } from './needs.ts';
import { openCallers } from './rpc/callers.ts';
import { createEdge } from './service.ts';

/** The entry point for clients: Connect, gRPC-Web, gRPC, server-sent events and the OpenAI protocol on one port. */
export const edge = defineService({
  name: 'edge',
  contracts: [],
  config: readEdgeSettings,
  needs: {},
  optionalNeeds: edgeNeeds,
  servesPublic: true,
  deployment: {
    replicas: { min: 3, max: 40 },
    cpu: 1,
    callsPerReplica: 400,
    stores: ['redis'],
    settings: { edge: { limiter: sharedRedis() } },
    signsTokens: true,
    // It passes on the streams of all services.
    drainMs: longestDrainMs,
    isShared: ({ edge: section }) => section?.limiter?.adapter === 'redis',
  },
  place: () => 'workers',
  state: openEdgeState,
  admission: (deps) => openCallers(deps),
  create: (deps) => createEdge(deps),
});
