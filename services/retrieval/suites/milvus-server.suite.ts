import { hasCommand, startTestServer, type TestServer } from '#kit/testing/server.ts';

/** Whether a Milvus: its small edition, with the same gRPC service is installed. */
export const hasMilvus = hasCommand('milvus-lite');

/** How to install it. */
export const milvusAdvice = 'pip install milvus-lite pymilvus, in a Python environment on the PATH';

/** A Milvus on loopback. */
export interface TestMilvus extends AsyncDisposable {
  url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Starts a Milvus. */
export async function startMilvus(): Promise<TestMilvus> {
  let first: TestServer | undefined;
  let running: TestServer | undefined;
  const start = async () => {
    running = await startTestServer({
      command: 'milvus-lite',
      args: (at, folder) => ['server', '--data-dir', `${first?.folder ?? folder}/data`, '--port', String(at)],
      ...(first === undefined ? {} : { port: first.port }),
      startTimeoutMs: 60_000,
    });
    first ??= running;
  };
  await start();
  return {
    url: `127.0.0.1:${first?.port}`,
    start,
    kill: async () => running?.kill(),
    async [Symbol.asyncDispose]() {
      await running?.[Symbol.asyncDispose]();
      await first?.[Symbol.asyncDispose]();
    },
  };
}
