import { freePort, hasCommand, startTestServer, type TestServer } from '#kit/testing/server.ts';

/** Whether a Weaviate is installed. */
export const hasWeaviate = hasCommand('weaviate-server');

/** How to install it. */
export const weaviateAdvice = 'go install github.com/weaviate/weaviate/cmd/weaviate-server@v1.38.11';

/** A Weaviate on loopback. */
export interface TestWeaviate extends AsyncDisposable {
  url: string;
  grpcUrl: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Starts a real Weaviate of one node. */
export async function startWeaviate(): Promise<TestWeaviate> {
  const ports = await Promise.all(Array.from({ length: 7 }, () => freePort()));
  const [http, grpc, gossip, data, raft, rpc, profiling] = ports.map(String) as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  let first: TestServer | undefined;
  let running: TestServer | undefined;
  const start = async () => {
    running = await startTestServer({
      command: 'sh',
      args: (at, folder) => [
        '-c',
        `PERSISTENCE_DATA_PATH=${first?.folder ?? folder} exec weaviate-server --scheme http --host 127.0.0.1 --port ${at}`,
      ],
      env: {
        DEFAULT_VECTORIZER_MODULE: 'none',
        AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED: 'true',
        DISABLE_TELEMETRY: 'true',
        CLUSTER_HOSTNAME: 'node1',
        CLUSTER_ADVERTISE_ADDR: '127.0.0.1',
        CLUSTER_GOSSIP_BIND_PORT: gossip,
        CLUSTER_DATA_BIND_PORT: data,
        RAFT_PORT: raft,
        RAFT_INTERNAL_RPC_PORT: rpc,
        RAFT_BOOTSTRAP_EXPECT: '1',
        GRPC_PORT: grpc,
        GO_PROFILING_PORT: profiling,
      },
      port: Number(http),
      isReady: async (at) => (await fetch(`http://127.0.0.1:${at}/v1/.well-known/ready`)).ok,
      startTimeoutMs: 60_000,
    });
    first ??= running;
  };
  await start();
  return {
    url: `http://127.0.0.1:${http}`,
    grpcUrl: `http://127.0.0.1:${grpc}`,
    start,
    async kill() {
      // A vector reaches its index on disk some time after it was acknowledged; a server that is killed before that
      // counts the row and does not find it any more. Seen with 1.38.11, and gone after some three seconds.
      await new Promise((resolve) => setTimeout(resolve, 5000));
      await running?.kill();
    },
    async [Symbol.asyncDispose]() {
      await running?.[Symbol.asyncDispose]();
      await first?.[Symbol.asyncDispose]();
    },
  };
}
