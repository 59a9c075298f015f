import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IdleInit, IdleState } from './hostile.ts';

// Connections that say nothing, or begin to speak HTTP/2 and ask nothing, from several addresses of loopback. One that is closed is opened
// again, a little later.

const { edgePort, count, firstAddress } = JSON.parse(process.argv[2] ?? '{}') as IdleInit;
/** Connections of one address: less than it has ports. */
const perAddress = 4000;
/** Connections that are opened in a turn, and the time between turns, in milliseconds. */
const perTurn = 100;
const turnMs = 50;
/** Time until a connection that was closed is opened again, in milliseconds. */
const reopenMs = 5000;
// The preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, sections 3.4, 6.5).
const http2Start = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

const open = new Set<Socket>();
const connected = new Set<Socket>();
let openedCount = 0;
let mostCount = 0;
let isRunning = true;

function openOne(index: number): void {
  const localAddress = `127.0.0.${firstAddress + Math.floor(index / perAddress)}`;
  const socket = connect({ port: edgePort, host: '127.0.0.1', localAddress });
  open.add(socket);
  socket.on('error', () => {});
  socket.once('connect', () => {
    openedCount++;
    connected.add(socket);
    mostCount = Math.max(mostCount, connected.size);
    if (index % 2 === 0) socket.write(http2Start);
  });
  socket.once('close', () => {
    connected.delete(socket);
    open.delete(socket);
    setTimeout(() => free.push(index), reopenMs);
  });
}

const free = Array.from({ length: count }, (_, index) => index).reverse();
async function run(): Promise<void> {
  while (isRunning) {
    for (let opened = 0; opened < perTurn && free.length > 0; opened++) openOne(free.pop() as number);
    await sleep(turnMs);
  }
  for (const socket of open) socket.destroy();
}

process.on('message', (order: 'start' | 'stop') => {
  if (order === 'start') void run();
  else isRunning = false;
  const state: IdleState = { openedCount, mostCount };
  process.send?.(state);
});
