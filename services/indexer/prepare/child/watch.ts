import { Worker } from 'node:worker_threads';

/** File descriptor of the pipe that ends when the starter of the process is gone. The one before it is the channel of messages. */
export const lifelineFd = 4;

/** What the watchdog is given. */
export interface WatchdogData {
  /** Most resident memory of the process. */
  memoryBytesMax: number;
}

/** Starts the watchdog of this process; resolves when it watches. */
export async function watch(data: WatchdogData): Promise<void> {
  const thread = new Worker(new URL('./watchdog.ts', import.meta.url), { workerData: data, name: 'watchdog' });
  await new Promise((resolve, reject) => {
    thread.once('online', resolve);
    thread.once('error', reject);
  });
  // Without the watchdog the process has no limits.
  thread.on('exit', () => process.exit(1));
}
