import { createServer, type Server } from 'node:net';

/** Name of a socket without a file: it is free as soon as its process has ended, however it ended. */
const socketName = '\0ragmesh-mesh-lab';

/** Time for which a lab waits for another one, in milliseconds. */
const maxWaitMs = 60 * 60_000;

/** Waits until no other lab runs on this machine, and claims it until the result is disposed of. Throws after an hour. */
export async function claimMachine(say: (line: string) => void, name = socketName): Promise<AsyncDisposable> {
  const deadline = performance.now() + maxWaitMs;
  let server = await listen(name);
  if (server === undefined) say('waiting for another lab on this machine …');
  while (server === undefined) {
    if (performance.now() > deadline)
      throw new Error('another lab on this machine has not ended within an hour: end it');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    server = await listen(name);
  }
  const claimed = server;
  return { [Symbol.asyncDispose]: () => new Promise((done) => claimed.close(() => done())) };
}

/** Returns the server that holds the name; `undefined` if another process holds it. */
function listen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('listening', () => resolve(server));
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name);
  });
}
