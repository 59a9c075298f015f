import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { startTestGroup, type TestGroup } from './testing/start-group.ts';

// The configuration of a running group changes in all of its processes.

/** Sections with one API key, and limits as high as `burst`. */
function sectionsWith(key: string, burst = 1_000_000): string {
  const sha256 = createHash('sha256').update(key).digest('hex');
  const apiKey = { id: key.slice(0, 5), sha256, tenant: 'acme', roles: ['ROLE_READER'] };
  const limit = { user_requests_per_second: 1_000_000, user_burst: burst };
  return `edge: ${JSON.stringify({ port: 'EDGE_PORT', api_keys: [apiKey], ...limit })}`.replace(
    '"EDGE_PORT"',
    'EDGE_PORT',
  );
}

/** Statuses of requests with a key, each over a connection of its own, so that all workers get some. */
async function statusesOf({ edgeUrl }: TestGroup, key: string): Promise<Set<number>> {
  const statuses = new Set<number>();
  for (let count = 0; count < 6; count++) {
    const headers = { authorization: `Bearer ${key}`, connection: 'close' };
    const response = await fetch(`${edgeUrl}/v1/models`, { headers });
    await response.arrayBuffer();
    statuses.add(response.status);
  }
  return statuses;
}

const [first, second] = ['first-key-0123456789abcdef', 'second-key-0123456789abcdef'] as const;

test('a changed configuration reaches every worker, and those that start later; a wrong one reaches none', async () => {
  await using group = await startTestGroup(2, sectionsWith(first));
  const accepts = async (accepted: string, refused: string) => ({
    accepted: [...(await statusesOf(group, accepted))],
    refused: [...(await statusesOf(group, refused))],
  });
  const changed = { accepted: [200], refused: [401] };
  expect(await accepts(first, second)).toEqual(changed);

  group.configure(sectionsWith(second));
  await expect.poll(() => accepts(second, first), { timeout: 60_000, interval: 500 }).toEqual(changed);

  group.configure(sectionsWith(first, -1));
  await expect.poll(group.output, { timeout: 60_000, interval: 100 }).toContain('edge.user_burst');
  expect(await accepts(second, first)).toEqual(changed);

  const worker = group.members().find(({ isOwner }) => !isOwner);
  if (worker === undefined) throw new Error('the group has no worker');
  process.kill(worker.pid, 'SIGKILL');
  await expect.poll(() => group.members().some(({ pid }) => pid === worker.pid), { timeout: 60_000 }).toBe(false);
  await expect.poll(() => group.members().length, { timeout: 60_000 }).toBe(3);
  await group.ready();
  await expect.poll(() => accepts(second, first).catch(String), { timeout: 60_000, interval: 500 }).toEqual(changed);
  expect(await group.stop()).toBe(0);
}, 600_000);
