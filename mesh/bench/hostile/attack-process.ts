import { setTimeout as sleep } from 'node:timers/promises';
import { attacks } from './attacks.ts';
import type { AttackInit } from './hostile.ts';

// Hostile requests: as many as are ordered are in flight at any time, each kind in turn, from an address and with a key of its own.

const { edgePort, keys, count } = JSON.parse(process.argv[2] ?? '{}') as AttackInit;
/** Time from the end of a request to the next one of its lane, in milliseconds. */
const pauseMs = 100;
const counts: Record<string, Record<string, number>> = {};
const stop = new AbortController();

async function lane(index: number): Promise<void> {
  const { name, send } = attacks[index % attacks.length] as (typeof attacks)[number];
  for (let round = 0; !stop.signal.aborted; round++) {
    const caller = {
      port: edgePort,
      localAddress: `127.0.1.${index + 1}`,
      key: keys[index % keys.length] as string,
      round,
      signal: stop.signal,
    };
    const ending = await send(caller).catch((error) => (error as NodeJS.ErrnoException).code ?? 'error');
    counts[name] = { ...counts[name], [ending]: (counts[name]?.[ending] ?? 0) + 1 };
    await sleep(pauseMs);
  }
}

process.on('message', (order: 'start' | 'stop') => {
  if (order === 'start') for (let index = 0; index < count; index++) void lane(index);
  else stop.abort();
  process.send?.(counts);
});
