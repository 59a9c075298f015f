import { hasCommand, type ServerCommand, startTestServer, type TestServer } from './server.ts';

/** Whether this machine has a Redis. */
export const hasRedis = hasCommand('redis-server');

/** What to do where it has none. */
export const redisAdvice = 'apt-get install redis-server';

/** A real Redis on loopback that keeps nothing on disk. `port`: to come back where another one was. */
export function startRedis(port?: number, extraArgs: readonly string[] = []): Promise<TestServer> {
  const command: ServerCommand = {
    command: 'redis-server',
    args: (at, folder) => ['--port', String(at), '--dir', folder, '--save', '', '--appendonly', 'no', ...extraArgs],
    ...(port === undefined ? {} : { port }),
  };
  return startTestServer(command);
}
