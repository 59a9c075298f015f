import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { lifelineFd, type WatchdogData } from './watch.ts';

// A thread in the process that parses: it kills the process when it holds too much memory, and when the thread that started it is gone. The
// main thread cannot do either, because a hostile file may keep it busy in one call.

const { memoryBytesMax } = workerData as WatchdogData;
const checkEveryMs = 20;

const kill = () => process.kill(process.pid, 'SIGKILL');

// The other end closes with the thread that holds it, however that thread ends.
new Socket({ fd: lifelineFd, readable: true, writable: false }).on('error', kill).on('close', kill).resume();
setInterval(() => {
  if (process.memoryUsage.rss() > memoryBytesMax) kill();
}, checkEveryMs);
