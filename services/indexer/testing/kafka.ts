import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, hasCommand, startTestServer, type TestServer } from '#kit/testing/server.ts';

// A real Kafka of one node on loopback (KRaft), from the JARs in $KAFKA_HOME/libs.

const libs = join(process.env.KAFKA_HOME ?? '/opt/kafka', 'libs');

/** Whether this machine has Kafka. */
export const hasKafka = hasCommand('java') && existsSync(libs);

/** What to do if it has none. */
export const kafkaAdvice = 'Java 17, and KAFKA_HOME with libs/ of org.apache.kafka:kafka_2.13 4.x';

/** A Kafka that a test has started. */
export interface TestKafka extends AsyncDisposable {
  /** Its address: "127.0.0.1:9092". */
  broker: string;
  /** Kills it; its log stays. */
  kill(): Promise<void>;
  /** Starts it again at the same address, with its log. */
  restart(): Promise<void>;
}

/** Starts a Kafka. */
export async function startKafka(): Promise<TestKafka> {
  const [port, controllerPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-kafka-'));
  const properties = join(folder, 'server.properties');
  const lines = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 2,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
  };
  writeFileSync(
    properties,
    Object.entries(lines)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  );
  const java = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', join(libs, '*')];
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'cmFnbWVzaC10ZXN0LTAwMQ', '-c', properties];
  execFileSync('java', [...java, ...format], { cwd: folder, stdio: 'ignore' });
  const start = (): Promise<TestServer> =>
    startTestServer({
      command: 'java',
      port,
      args: () => [...java, 'kafka.Kafka', properties],
      startTimeoutMs: 60_000,
    });
  let server = await start();
  return {
    broker: `127.0.0.1:${port}`,
    kill: () => server.kill(),
    async restart() {
      await server[Symbol.asyncDispose]();
      server = await start();
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
