import { createPrivateKey } from 'node:crypto';
import { ConfigError } from '#kit/base/config-error.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Breakers } from '#kit/breaker/breakers.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { createTokenSigner, type TokenSigner } from '#kit/rpc/identity.ts';
import type { ConfiguredTool } from './configured.ts';
import type { Tool, ToolDeps } from './tool.ts';
import { createToolbox, type Toolbox } from './toolbox.ts';

/** What the tools of a process need. */
export interface ToolAccessDeps {
  /** Folder of the adapters. */
  readonly folder: URL;
  readonly fetch: typeof globalThis.fetch;
  readonly breakers: Breakers;
  /** The key of the mesh; `undefined` in a process without it. */
  readonly signer: TokenSigner | undefined;
  readonly clock: () => number;
  readonly log: Logger;
}

/** Validity of the caller's identity for one call, in milliseconds. */
const identityMs = 60_000;

/** Creates the configured tools. Throws ConfigError if one's settings are wrong, or if no key can sign who the caller is. */
export async function createToolAccess(
  { tools, toolPrivateKey }: { tools: readonly ConfiguredTool[]; toolPrivateKey: string },
  { folder, fetch, breakers, signer: meshSigner, clock, log }: ToolAccessDeps,
): Promise<Toolbox> {
  const signer = toolPrivateKey === '' ? meshSigner : createTokenSigner(readKey(toolPrivateKey), clock);
  if (signer === undefined && tools.length > 0) {
    throw new ConfigError(
      'chat.tool_private_key',
      'is missing: tools need it, or identity.private_key, to sign who calls',
    );
  }
  const created: { configured: ConfiguredTool; port: Tool }[] = [];
  for (const configured of tools) {
    const { adapter, settings, path } = configured.chosen;
    const port = await createFromAdapter<Tool, ToolDeps>(folder, adapter, settings, { fetch, breakers, path }, path);
    created.push({ configured, port });
  }
  return createToolbox({
    tools: created,
    sign: async (principal, name) => (await signer?.signFor(principal, `ragmesh-tool:${name}`, identityMs)) ?? '',
    clock,
    log,
  });
}

function readKey(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new ConfigError('chat.tool_private_key', 'is no private key in PEM');
  }
}
