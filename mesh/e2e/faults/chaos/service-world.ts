import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { services } from '../../../run.ts';
import { startWholeMesh } from '../../testing/whole-mesh.ts';
import { type Link, startLink } from './link.ts';
import { linkedServices } from './matrix.ts';
import type { World } from './world.ts';

const definitionOf = (name: string) => {
  const found = services.find((service) => service.name === name);
  if (found === undefined) throw new Error(`there is no service "${name}"`);
  return found;
};

/** Time limits of stages that a busy machine reaches only by a fault, in milliseconds. */
const patience = { chat: { cacheTimeoutMs: 1000 }, retrieval: { rerankTimeoutMs: 1000 } };

/**
 * Starts the mesh as processes would be: edge and chat, retrieval, and the other services of a question, with a link in front of each. A
 * second process of them takes no call: it is what a full one is.
 */
export async function startServiceWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-chaos-'));
  const [dataDir, fullDir] = [join(folder, 'data'), join(folder, 'full')];
  const whole = await startWholeMesh({ dataDir });
  const { devKey } = whole;
  await whole.close(true);
  mkdirSync(fullDir);
  copyFileSync(join(dataDir, 'identity.pem'), join(fullDir, 'identity.pem'));

  const started: TestMesh[] = [];
  const start = async (names: readonly string[], options: Parameters<typeof startTestMesh>[1]) => {
    const mesh = await startTestMesh(names.map(definitionOf), { known: services, dataDir, ...options });
    started.push(mesh);
    return mesh.host.grpcPort as number;
  };
  const full = { dataDir: fullDir, config: { grpc: { maxConcurrent: 0 } } };
  const fullPort = await start(linkedServices, full);
  const links = new Map<string, Link>();
  const addresses: Record<string, string> = {};
  const link = async (name: string, port: number) => {
    const made = await startLink({ port, fullPort });
    links.set(name, made);
    addresses[name] = `127.0.0.1:${made.port}`;
  };
  const behind = linkedServices.filter((name) => name !== 'retrieval');
  const port = await start(behind, {});
  for (const name of behind) await link(name, port);
  await link('retrieval', await start(['retrieval'], { config: { ...patience, addresses: { ...addresses } } }));
  await start(['edge', 'chat'], { config: { ...patience, addresses: { ...addresses } } });
  const edge = started.at(-1)?.host.running('edge') as unknown as { port: number };
  const baseUrl = `http://127.0.0.1:${edge.port}`;
  return {
    chat: createClient(ChatService, createConnectTransport({ baseUrl, httpVersion: '2' })),
    options: { headers: { authorization: `Bearer ${devKey}` } },
    rows: linkedServices.map((name) => ({
      dependency: name,
      begin: async (fault) => links.get(name)?.set(fault),
      end: async () => links.get(name)?.set(undefined),
    })),
    async [Symbol.asyncDispose]() {
      for (const mesh of started.reverse()) await mesh.close(true);
      for (const each of links.values()) await each[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
