import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { unavailableHttp } from '#kit/http/failure.ts';
import { identitySettings } from '../../tools/settings.ts';
import { headersOf, maxReplyBytes, type Tool, type ToolDeps } from '../../tools/tool.ts';

/** Pages of a list of tools that are read. */
const maxPages = 20;

/**
 * A tool of an MCP server over streamable HTTP. Each call has a connection of its own, which carries the identity of its caller: a session
 * of MCP is never shared by callers.
 */
export const adapter = defineAdapter({
  settings: {
    url: z.string().describe('Address of the server: "https://host/mcp"'),
    tool: z.string().min(1).max(128).describe('Name of the tool at the server'),
    ...identitySettings,
  },
  create({ url, tool: name, ...headers }, { fetch, path }: ToolDeps): Tool {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new ConfigError(`${path}.settings.url`, `"${url}" is no http or https address`);
    }
    const connected = async <T>(
      sent: Record<string, string>,
      signal: AbortSignal,
      work: (client: McpClient) => Promise<T>,
    ) => {
      const client = await connect(new URL(url), sent, fetch, signal);
      try {
        return await work(client);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ConnectError) throw error;
        throw unavailable('tool', `the MCP server failed: ${nameOf(error)}`, error);
      } finally {
        await client.close().catch(() => {});
      }
    };
    return {
      describe: (signal) =>
        connected(headers.headers, signal, async (client) => {
          const found = await findTool(client, name, signal);
          if (found === undefined) throw unavailable('tool', `the MCP server has no tool "${name}"`);
          return {
            description: found.description ?? '',
            parameters: found.inputSchema as JsonObject,
            isReadOnly: found.annotations?.readOnlyHint === true,
          };
        }),
      call: (call, signal) =>
        connected(headersOf(call, headers), signal, async (client) => {
          const result = await client.callTool({ name, arguments: call.arguments }, { signal });
          if (result.isError === true) throw unavailable('tool', 'the tool reports an error');
          if (result.structuredContent !== undefined) return result.structuredContent as JsonValue;
          return result.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
        }),
      close: async () => {},
    };
  },
});

type McpClient = InstanceType<typeof import('@modelcontextprotocol/client').Client>;

async function connect(url: URL, headers: Record<string, string>, fetch: typeof globalThis.fetch, signal: AbortSignal) {
  // Loaded with the first call: most installations have no such tool.
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const client = new Client({ name: 'ragmesh', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const transport = new StreamableHTTPClientTransport(url, {
    fetch: bounded(fetch),
    // An identity must not follow to wherever a server points.
    requestInit: { headers, redirect: 'error' },
    reconnectionOptions: {
      maxRetries: 0,
      initialReconnectionDelay: 1000,
      maxReconnectionDelay: 1000,
      reconnectionDelayGrowFactor: 1,
    },
  });
  try {
    await client.connect(transport, { signal });
    return client;
  } catch (error) {
    await client.close().catch(() => {});
    signal.throwIfAborted();
    throw unavailableHttp('tool', 'cannot be reached as an MCP server', error);
  }
}

async function findTool(client: McpClient, name: string, signal: AbortSignal) {
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const { tools, nextCursor } = await client.listTools(cursor === undefined ? {} : { cursor }, { signal });
    const found = tools.find((tool) => tool.name === name);
    if (found !== undefined || nextCursor === undefined) return found;
    cursor = nextCursor;
  }
  return undefined;
}

// The SDK reads replies of any size.
function bounded(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const reply = await fetch(input, init);
    if (reply.body === null) return reply;
    let sizeBytes = 0;
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform(part, controller) {
        sizeBytes += part.byteLength;
        if (sizeBytes > maxReplyBytes) controller.error(new Error(`a reply of more than ${maxReplyBytes} bytes`));
        else controller.enqueue(part);
      },
    });
    const { status, statusText, headers } = reply;
    return new Response(reply.body.pipeThrough(count), { status, statusText, headers });
  };
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'error');
