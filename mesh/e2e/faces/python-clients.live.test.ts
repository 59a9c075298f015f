import { execFileSync, spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipped } from '#kit/testing/server.ts';
import { type ScriptedModel, startScriptedModel } from '../testing/scripted-model.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The clients of Python, unchanged, against the whole mesh. RAGMESH_PYTHON names an interpreter that has them.

const python = process.env.RAGMESH_PYTHON ?? 'python3';
const has = (modules: string) => {
  try {
    execFileSync(python, ['-c', `import ${modules}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const run = (program: string, args: readonly string[]) => {
  const child = spawn(python, ['-c', program, ...args]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
  return new Promise<unknown>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(output));
    });
  });
};

let model: ScriptedModel;
let mesh: WholeMesh;
const start = async () => {
  model = await startScriptedModel();
  mesh = await startWholeMesh({
    config: {
      llmGateway: {
        models: [
          { adapter: 'extractive' },
          { name: 'gpt-scripted', adapter: 'openai-compatible', settings: { base_url: model.url, model: 'scripted' } },
        ],
      },
    },
  });
};
const stop = async () => {
  await mesh.close();
  await model[Symbol.asyncDispose]();
};

describe.skipIf(!has('anthropic') && skipped('anthropic-python', 3, 'pip install anthropic'))(
  "Anthropic's client",
  () => {
    beforeAll(start);
    afterAll(stop);
    const prelude = `
import anthropic, json, sys
client = anthropic.Anthropic(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
user = lambda text: [{"role": "user", "content": text}]
`;

    test('gets a message whole and streamed, with the usage that the provider counted', async () => {
      const said = await run(
        `${prelude}
whole = client.messages.create(model="gpt-scripted", max_tokens=100, messages=user("hello"))
with client.messages.stream(model="gpt-scripted", max_tokens=100, messages=user("hello")) as stream:
    text = "".join(stream.text_stream)
    final = stream.get_final_message()
count = client.messages.count_tokens(model="gpt-scripted", messages=user("hello"))
print(json.dumps([whole.content[0].text, text, whole.usage.input_tokens, final.usage.input_tokens, count.input_tokens > 0]))`,
        [mesh.edgeUrl, mesh.devKey],
      );
      const [whole, streamed, ...usage] = said as unknown[];
      expect(whole).toBe(streamed);
      expect(usage).toEqual([11, 11, true]);
    });

    test('calls a tool, and cites documents', async () => {
      const said = await run(
        `${prelude}
tool = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
first = client.messages.create(model="gpt-scripted", max_tokens=100, tools=[tool], messages=user("weather?"))
call = next(block for block in first.content if block.type == "tool_use")
answer = client.messages.create(model="ragmesh", max_tokens=500, messages=user("Are fabric swatches free?"))
cited = [c.cited_text for block in answer.content if block.type == "text" for c in block.citations or []]
print(json.dumps([call.input, first.stop_reason, len(cited) > 0]))`,
        [mesh.edgeUrl, mesh.devKey],
      );
      expect(said).toEqual([{ city: 'Oslo' }, 'tool_use', true]);
    });

    test('knows the errors', async () => {
      const said = await run(
        `${prelude}
try:
    client.messages.create(model="gpt-scripted", max_tokens=100, messages=user("hello"))
except anthropic.PermissionDeniedError as error:
    print(json.dumps([error.status_code, error.type if hasattr(error, "type") else error.body["error"]["type"], error.request_id is not None]))`,
        [mesh.edgeUrl, mesh.customerKey],
      );
      expect(said).toEqual([403, 'permission_error', true]);
    });
  },
);

describe.skipIf(!has('mcp') && skipped('mcp-python', 1, 'pip install mcp'))("MCP's client", () => {
  beforeAll(start);
  afterAll(stop);

  test('lists the tools and searches', async () => {
    const said = await run(
      `
import asyncio, json, sys
import httpx2 as httpx
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

async def main():
    async with httpx.AsyncClient(headers={"authorization": "Bearer " + sys.argv[2]}) as http:
        async with streamable_http_client(sys.argv[1] + "/mcp", http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                tools = [tool.name for tool in (await session.list_tools()).tools]
                found = await session.call_tool("search", {"query": "fabric swatches"})
                content = getattr(found, "structured_content", None) or found.structuredContent
                print(json.dumps([tools, len(content["results"]) > 0]))

asyncio.run(main())`,
      [mesh.edgeUrl, mesh.customerKey],
    );
    expect(said).toEqual([['search', 'fetch', 'ask'], true]);
  });
});
