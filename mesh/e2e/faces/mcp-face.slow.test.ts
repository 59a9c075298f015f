import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// MCP's own client against the whole mesh: what its tools return, and that no one sees more by them than by any other face.

let mesh: WholeMesh;
let dev: Client;
let customer: Client;
/** A client of the revision of 2026, which sends no handshake, or of 2025. */
const connect = async (key: string, mode: 'auto' | 'legacy' = 'auto') => {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${mesh.edgeUrl}/mcp`), { requestInit }));
  return client;
};
beforeAll(async () => {
  mesh = await startWholeMesh();
  dev = await connect(mesh.devKey);
  customer = await connect(mesh.customerKey);
});
afterAll(async () => {
  await dev.close();
  await customer.close();
  await mesh.close();
});

type Listed = { id: string; title: string; url: string; text: string };
const call = async (client: Client, name: string, args: Record<string, unknown>) => {
  const result = await client.callTool({ name, arguments: args });
  const [first] = result.content;
  const text = first?.type === 'text' ? first.text : '';
  return { isError: result.isError === true, data: (result.structuredContent ?? {}) as Record<string, unknown>, text };
};
const search = async (client: Client, query: string) =>
  (await call(client, 'search', { query, limit: 50 })).data.results as Listed[];
const namesOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name);

test('the tools are those of the role, with annotations and schemas of what they return', async () => {
  expect(await namesOf(customer)).toEqual(['search', 'fetch', 'ask']);
  expect(await namesOf(dev)).toEqual([
    ...['search', 'fetch', 'ask', 'list_corpora', 'list_documents', 'ingest', 'get_job'],
  ]);
  for (const { annotations, outputSchema, description } of (await dev.listTools()).tools) {
    expect(annotations?.readOnlyHint).toBeTypeOf('boolean');
    expect(annotations?.openWorldHint).toBe(false);
    expect(outputSchema?.type).toBe('object');
    expect(description).toMatch(/\.$/);
  }
});

test('a search finds documents that fetch returns whole, and ask cites', async () => {
  const results = await search(customer, 'Are fabric swatches free?');
  expect(results.length).toBeGreaterThan(0);
  const [best] = results;
  const fetched = await call(customer, 'fetch', { id: best?.id });
  expect(fetched.data).toMatchObject({ id: best?.id, title: best?.title, metadata: { corpus: expect.any(String) } });
  expect(String(fetched.data.text).length).toBeGreaterThan(0);
  expect(JSON.parse(fetched.text)).toEqual(fetched.data);
  const answer = await call(customer, 'ask', { question: 'Are fabric swatches free?' });
  expect(answer.data).toMatchObject({ answer: expect.stringContaining('[1]'), outcome: 'answered' });
  const [citation] = answer.data.citations as Listed[];
  expect((await call(customer, 'fetch', { id: citation?.id })).isError).toBe(false);
});

test('a client of an earlier revision has the same tools and results', async () => {
  const earlier = await connect(mesh.customerKey, 'legacy');
  expect(await namesOf(earlier)).toEqual(await namesOf(customer));
  expect(await search(earlier, 'fabric swatches')).toEqual(await search(customer, 'fabric swatches'));
  await earlier.close();
});

test('a long document comes in parts that make the whole', async () => {
  const text = Array.from({ length: 9000 }, (_, index) => `Line ${index} of the handbook.`).join('\n');
  await ingest('long.txt', text);
  let got = '';
  let offset: number | undefined = 0;
  for (let part = 0; offset !== undefined && part < 20; part++) {
    const { data } = await call(dev, 'fetch', { id: 'mcp/long.txt', offset });
    got += data.text;
    offset = data.next_offset as number | undefined;
  }
  expect(got).toContain('Line 0 of');
  expect(got).toContain('Line 8999 of');
  expect(got.match(/of the handbook/g)).toHaveLength(9000);
});

const ingest = async (path: string, text: string, groups?: string[]) => {
  const {
    data,
    text: said,
    isError,
  } = await call(dev, 'ingest', { corpus: 'mcp', path, text, ...(groups && { groups }) });
  expect(isError, said).toBe(false);
  const isDone = async () => {
    const job = await call(dev, 'get_job', { job_id: data.job_id });
    expect(job.data.state, job.text).toBe('succeeded');
  };
  await vi.waitFor(isDone, { timeout: 60_000, interval: 50 });
};

describe('access lists', () => {
  const secret = 'The zanzibar quota of merchants is 47 crates.';
  beforeAll(async () => {
    await ingest('quota.md', `# Quota\n\n${secret}\n`, ['merchant']);
    await ingest('open.md', '# Opening\n\nThe zanzibar shop opens at nine.\n');
  });

  test('hold in search, fetch, ask, lists and resources', async () => {
    const seen = (results: Listed[]) => results.map(({ id }) => id).filter((id) => id.startsWith('mcp/'));
    expect(seen(await search(dev, 'zanzibar quota'))).toEqual(expect.arrayContaining(['mcp/open.md', 'mcp/quota.md']));
    const found = seen(await search(customer, 'zanzibar quota'));
    expect(found).toContain('mcp/open.md');
    expect(found).not.toContain('mcp/quota.md');
    expect((await call(dev, 'fetch', { id: 'mcp/quota.md' })).text).toContain('47 crates');
    const hidden = await call(customer, 'fetch', { id: 'mcp/quota.md' });
    const absent = await call(customer, 'fetch', { id: 'mcp/no-such.md' });
    expect([hidden.isError, absent.isError]).toEqual([true, true]);
    expect(hidden.text.replaceAll('quota', 'X')).toBe(absent.text.replaceAll('no-such', 'X'));
    expect((await call(customer, 'ask', { question: 'What is the zanzibar quota of merchants?' })).text).not.toContain(
      '47',
    );
    const urisOf = async (client: Client) => (await client.listResources()).resources.map(({ uri }) => uri);
    const uri = 'ragmesh://documents/mcp/quota.md';
    expect(await urisOf(dev)).toContain(uri);
    expect(await urisOf(customer)).not.toContain(uri);
    expect(await dev.readResource({ uri })).toMatchObject({
      contents: [{ uri, text: expect.stringContaining(secret) }],
    });
    await expect(customer.readResource({ uri })).rejects.toThrow(/quota/);
  });

  test('a reader who names a tool of editors gets nothing by it', async () => {
    for (const [name, args] of [
      ['ingest', { corpus: 'mcp', path: 'x.md', text: 'x' }],
      ['list_documents', { corpus: 'mcp' }],
      ['get_job', { job_id: 'x' }],
    ] as const) {
      const outcome = await call(customer, name, args).then(
        ({ isError }) => isError,
        () => true,
      );
      expect(outcome).toBe(true);
    }
    const { data } = await call(dev, 'list_documents', { corpus: 'mcp' });
    expect((data.documents as Listed[]).map(({ id }) => id)).toEqual(['mcp/long.txt', 'mcp/open.md', 'mcp/quota.md']);
  });
});

test('a wrong argument and an unknown document are results that say what to do', async () => {
  expect(await call(dev, 'fetch', { id: 'nonsense' })).toMatchObject({
    isError: true,
    text: expect.stringContaining('search'),
  });
  const wrong = await call(dev, 'search', { query: '' }).then(
    ({ isError }) => isError,
    () => true,
  );
  expect(wrong).toBe(true);
});
