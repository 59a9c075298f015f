// npm install @modelcontextprotocol/client
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const client = new Client({ name: 'example', version: '1.0.0' });
const authProvider = { token: async () => process.env.RAGMESH_API_KEY };
await client.connect(new StreamableHTTPClientTransport(new URL(`${process.env.RAGMESH_URL}/mcp`), { authProvider }));
const { tools } = await client.listTools();
console.log(tools.map(({ name }) => name).join(', '));
const result = await client.callTool({
  name: 'ask',
  arguments: { question: 'How long does a refund to a credit card take?' },
});
for (const part of result.content) if (part.type === 'text') console.log(part.text);
await client.close();
