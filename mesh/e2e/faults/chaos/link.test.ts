import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type Fault, faults, startLink } from './link.ts';
import { expectedOf, linkedServices, linkedStores } from './matrix.ts';

const text = 'sixteen letters.';
/** No reply takes so long, in milliseconds, on a busy machine either. */
const patienceMs = 10_000;

async function startEcho(reply: string) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(reply));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

/** Returns what comes back; "closed" if the connection ends first, and "silence" if nothing has come in `silenceMs`. */
async function exchange(port: number, silenceMs: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  try {
    socket.write('?');
    const silence = new Promise<string>((resolve) => setTimeout(() => resolve('silence'), silenceMs));
    const reply = once(socket, 'data').then(([bytes]) => String(bytes));
    return await Promise.race([reply, once(socket, 'close').then(() => 'closed'), silence]);
  } finally {
    socket.destroy();
  }
}

test('a link does to a dependency what its fault says, and nothing after it', async () => {
  const port = await startEcho(text);
  const fullPort = await startEcho('full');
  await using link = await startLink({ port, fullPort });
  const got = async (fault: Fault | undefined) => {
    link.set(fault);
    return exchange(link.port, fault === 'hung' ? 300 : patienceMs);
  };
  expect(await got(undefined)).toBe(text);
  expect(await got('slow')).toBe(text);
  expect(await got('dead')).toBe('closed');
  expect(await got('hung')).toBe('silence');
  expect(await got('full')).toBe('full');
  const lie = await got('lying');
  expect(lie).toHaveLength(text.length);
  expect(lie).not.toBe(text);
  link.set('flapping');
  const met = new Set<string>();
  await expect
    .poll(async () => met.add(await exchange(link.port, patienceMs)).size, { timeout: 20_000, interval: 20 })
    .toBe(2);
  expect([...met].sort()).toEqual(['closed', text]);
  expect(await got(undefined)).toBe(text);
});

test('the matrix has a cell for each dependency and fault, and a slow one costs no part of an answer', () => {
  for (const dependency of [...linkedServices, ...linkedStores]) {
    for (const fault of faults) expect(expectedOf(dependency, fault).endings.length).toBeGreaterThan(0);
    expect(expectedOf(dependency, 'slow').endings).toEqual(['whole']);
  }
});
