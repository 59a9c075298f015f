import {
  completable,
  fromJsonSchema,
  McpServer,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

// The server that the public conformance suite of MCP describes, as far as a server without sessions can be it: it shows that the edge's
// mount passes all kinds of results, progress and log messages.

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=';
const text = (said: string) => ({ type: 'text' as const, text: said });
const image = { type: 'image' as const, data: png, mimeType: 'image/png' };
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

/** Creates the server. */
export function createFixtureServer(): McpServer {
  const server = new McpServer(
    { name: 'fixture', version: '1' },
    { capabilities: { logging: {}, completions: {}, tools: {}, resources: {}, prompts: {} } },
  );
  registerResults(server);
  registerMessages(server);
  registerResources(server);
  registerPrompts(server);
  return server;
}

function registerResults(server: McpServer): void {
  const returning = (name: string, content: object[]) =>
    server.registerTool(name, { description: name }, () => ({ content: content as never }));
  returning('test_simple_text', [text('This is a simple text response for testing.')]);
  returning('test_image_content', [image]);
  returning('test_audio_content', [{ type: 'audio', data: wav, mimeType: 'audio/wav' }]);
  const embedded = {
    uri: 'test://embedded-resource',
    mimeType: 'text/plain',
    text: 'This is an embedded resource content.',
  };
  returning('test_embedded_resource', [{ type: 'resource', resource: embedded }]);
  const mixed = {
    uri: 'test://mixed-content-resource',
    mimeType: 'application/json',
    text: '{"test":"data","value":123}',
  };
  returning('test_multiple_content_types', [
    text('Multiple content types test:'),
    image,
    { type: 'resource', resource: mixed },
  ]);
  server.registerTool('test_error_handling', { description: 'Fails' }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object' as const,
    $defs: { address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
    additionalProperties: false,
  };
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Tool with JSON Schema 2020-12 features', inputSchema: fromJsonSchema(schema as never) },
    () => ({ content: [text('ok')] }),
  );
}

function registerMessages(server: McpServer): void {
  server.registerTool('test_tool_with_logging', { description: 'Logs' }, async ({ mcpReq: { log } }: ServerContext) => {
    for (const said of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await log('info', said);
      await pause();
    }
    return { content: [text('done')] };
  });
  server.registerTool(
    'test_tool_with_progress',
    { description: 'Reports progress' },
    async ({ mcpReq: { notify, _meta } }: ServerContext) => {
      const progressToken = _meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          await notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
        }
        await pause();
      }
      return { content: [text('done')] };
    },
  );
}

function registerResources(server: McpServer): void {
  const staticText = { uri: 'test://static-text', mimeType: 'text/plain' };
  server.registerResource('static-text', staticText.uri, { mimeType: 'text/plain' }, () => ({
    contents: [{ ...staticText, text: 'This is the content of the static text resource.' }],
  }));
  const binary = { uri: 'test://static-binary', mimeType: 'image/png' };
  server.registerResource('static-binary', binary.uri, { mimeType: 'image/png' }, () => ({
    contents: [{ ...binary, blob: png }],
  }));
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource('template', template, { mimeType: 'application/json' }, (uri, { id }) => ({
    contents: [
      {
        uri: uri.href,
        mimeType: 'application/json',
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
      },
    ],
  }));
}

function registerPrompts(server: McpServer): void {
  const user = (content: object) => ({ role: 'user' as const, content: content as ReturnType<typeof text> });
  server.registerPrompt('test_simple_prompt', { description: 'Simple' }, () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }));
  const word = completable(z.string(), (value) =>
    ['paris', 'park', 'party'].filter((known) => known.startsWith(value)),
  );
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'With arguments', argsSchema: z.object({ arg1: word, arg2: z.string() }) },
    ({ arg1, arg2 }) => ({ messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'With a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri: uri }) => ({
      messages: [
        user({
          type: 'resource',
          resource: { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
        }),
        user(text('Please process the embedded resource above.')),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'With an image' }, () => ({
    messages: [user(image), user(text('Please analyze the image above.'))],
  }));
}
