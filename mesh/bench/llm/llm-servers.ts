import { createHash, randomBytes } from 'node:crypto';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import type { Needs } from '#kit/rpc/needs.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { services } from '../../run.ts';
import type { Figures, GatewayReady } from './llm.ts';

// A server of the gateway's benchmark. Arguments: "gateway" (llm-gateway and what it needs, over gRPC) or "edge" (the whole mesh,
// asked over OpenAI's wire), and the provider's address. Limits and prices are counted, and out of reach.

const [role = '', providerUrl = ''] = process.argv.slice(2);
const key = randomBytes(24).toString('base64url');
const unlimited = 1_000_000;
const many = 100_000;

function withNeeds(names: readonly string[]): ServiceDefinition[] {
  const chosen = services.filter(({ name }) => names.includes(name));
  const needed = chosen.flatMap(({ needs }) => Object.values(needs as Needs).map(({ contract }) => contract));
  const more = services.filter(({ contracts }) => contracts.some((contract) => needed.includes(contract)));
  const all = [...new Set([...names, ...more.map(({ name }) => name)])];
  return all.length === names.length ? chosen : withNeeds(all);
}

const model = (name: string) => ({
  name,
  adapter: 'openai-compatible',
  settings: { base_url: providerUrl, api_key: 'sk-bench', model: name },
  maxConcurrent: many,
  // Whole completions are asked for whole, as those of the other gateway and of the bare proxy are.
  whole: true,
});
const priceOf = (name: string) => ({ model: name, prompt: 0.5, completion: 1.5, cachedPrompt: 0.05 });
const mesh = await startTestMesh(role === 'edge' ? services : withNeeds(['llm-gateway']), {
  known: services,
  // As a deployment has it: tests check twenty times a second.
  readinessIntervalMs: 2000,
  config: {
    grpc: { maxConcurrent: many },
    llmGateway: {
      models: [model('short'), model('paced'), model('long')],
      limits: {
        queueSize: many,
        defaultTenant: { requestsPerMinute: 1n << 50n, tokensPerMinute: 1n << 50n, costMicrosPerDay: 1n << 50n },
        defaultKey: { requestsPerMinute: 1n << 50n, tokensPerMinute: 1n << 50n },
      },
      prices: { version: 'bench', currency: 'USD', prices: ['short', 'paced', 'long'].map(priceOf) },
    },
    edge: {
      apiKeys: [
        {
          id: 'bench',
          sha256: createHash('sha256').update(key).digest('hex'),
          tenant: 'bench',
          roles: [Role.READER, Role.MODEL_USER],
        },
      ],
      tenantRequestsPerSecond: unlimited,
      tenantBurst: unlimited,
      userRequestsPerSecond: unlimited,
      userBurst: unlimited,
      userMaxConcurrent: 100_000,
    },
  },
});

async function ready(): Promise<GatewayReady> {
  const { headers } = await mesh.as(testPrincipal({ tenant: 'bench', user: 'bench' }));
  const edge = role === 'edge' ? (mesh.host.running('edge') as unknown as { port: number }).port : 0;
  return {
    grpcPort: mesh.host.grpcPort,
    edgePort: edge,
    authorization: (headers as Record<string, string>).authorization ?? '',
    key,
  };
}

function figures(): Figures {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
}

// Asked with "ready" for a fresh token (they are short-lived), with "figures" for what the process has taken, and with
// "collected" for what its heap holds once the garbage is out.
process.on('message', async (question) => {
  if (question === 'ready') process.send?.(await ready());
  else if (question === 'figures') process.send?.(figures());
  else if (question === 'collected') {
    (globalThis as { gc?: () => void }).gc?.();
    process.send?.({ ...figures(), heapBytes: process.memoryUsage().heapUsed });
  }
});
process.send?.(await ready());
process.once('disconnect', async () => {
  await mesh.close();
  process.exit(0);
});
