import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';

/** A process of the benchmark that does what it is sent and replies once to each message. */
export interface Child extends AsyncDisposable {
  ask<Reply>(message: unknown): Promise<Reply>;
}

/** Starts a process of this folder. `isPolite`: it gets the CPU that others leave, as a client on another machine would. */
export function startChild(file: string, init: unknown, isPolite: boolean): Child {
  const child: ChildProcess = fork(new URL(file, import.meta.url), [JSON.stringify(init)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  if (isPolite && child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    ask: (message) =>
      new Promise((resolve, reject) => {
        const onExit = (code: number | null) => reject(new Error(`${file} ended with ${code}`));
        child.once('exit', onExit);
        child.once('message', (reply) => {
          child.off('exit', onExit);
          resolve(reply as never);
        });
        child.send(message as never);
      }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
