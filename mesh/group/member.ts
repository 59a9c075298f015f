import { create, fromBinary } from '@bufbuild/protobuf';
import { ConfigSchema, GrpcConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Env } from '#kit/host/config/config.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { type Host, startHost } from '#kit/host/host.ts';
import type { GroupPart } from '#kit/host/start/group-part.ts';
import { connectPipe } from '#kit/rpc/pipe/connection.ts';
import type { RunningEdge } from '../start/greeting.ts';
import { startProcessTelemetry, version } from '../start/process.ts';
import { loadSample } from '../start/sample.ts';
import type { FromMember, MemberReport, Question, StartMessage, ToMember } from './messages.ts';

/** Longest wait of a worker for the owner at its start, in milliseconds. */
const ownerTimeoutMs = 30_000;

/** Runs a member of a group, in a process that the primary has forked. Resolves when it serves. */
export async function runMember(known: readonly ServiceDefinition[], env: Env): Promise<void> {
  // The primary decides when its members end. A terminal sends SIGINT to all of them, a service manager perhaps SIGTERM.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  const start = await firstMessage();
  const config = fromBinary(ConfigSchema, start.config);
  const name = start.role === 'owner' ? { process: 'owner' } : { worker: start.number };
  const started = await startProcessTelemetry(config, 'ragmesh', env);
  const { telemetry } = started;
  const log = started.log.child(name);
  try {
    const { maxMessageBytes } = config.grpc ?? create(GrpcConfigSchema);
    const { path, changesPath } = start;
    const group: GroupPart =
      start.role === 'owner'
        ? { role: 'owner', path, changesPath }
        : { role: 'worker', owner: connectPipe(path, maxMessageBytes), changesPath };
    if (group.role === 'worker') await group.owner.connected(AbortSignal.timeout(ownerTimeoutMs));
    const services = known.filter((definition) => start.services.includes(definition.name));
    const host = await startHost({ services, known, config, env, log, version, tracing: telemetry.recording, group });
    await telemetry.attach(host.metrics.registry);
    const close = async () => {
      log.info({ event: 'draining' }, 'draining');
      await host.close();
      if (group.role === 'worker') group.owner.close();
      await telemetry.close();
      process.exit(0);
    };
    serveQuestions(host, close, log);
    const edge = host.running('edge') as unknown as RunningEdge | undefined;
    send({
      kind: 'serving',
      serving: { grpcPort: host.grpcPort, edge: edge && { port: edge.port, devKeys: edge.devKeys } },
    });
    log.info({ event: 'serving', grpcPort: host.grpcPort }, 'serving');
  } catch (error) {
    const isPlain = error instanceof ConfigError;
    const message = error instanceof Error ? ((isPlain ? undefined : error.stack) ?? error.message) : String(error);
    send({ kind: 'failed', message, isPlain }, () => process.exit(1));
  }
}

function firstMessage(): Promise<StartMessage> {
  return new Promise((resolve) => process.once('message', (message) => resolve(message as StartMessage)));
}

function send(message: FromMember, onSent: () => void = () => {}): void {
  process.send?.(message, undefined, undefined, onSent);
}

function serveQuestions(host: Host, close: () => Promise<void>, log: Logger): void {
  const answer = async (question: Question): Promise<Extract<FromMember, { kind: 'answer' }>['result']> => {
    switch (question.is) {
      case 'report':
        return report(host);
      case 'reconfigure':
        await host.reconfigure(fromBinary(ConfigSchema, question.config));
        return undefined;
      case 'load_sample':
        return loadSample(host);
      default:
        return question satisfies never;
    }
  };
  process.on('message', (message: ToMember) => {
    if (message.kind === 'drain') void close();
    if (message.kind !== 'ask') return;
    const { id, question } = message;
    answer(question).then(
      (result) => send({ kind: 'answer', id, result }),
      (error: unknown) =>
        send({ kind: 'refusal', id, problem: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.once('disconnect', () => {
    log.error({ event: 'primary_ended' }, 'primary ended');
    void close();
  });
}

async function report({ readiness, metrics }: Host): Promise<MemberReport> {
  return { readiness: readiness(), metrics: await metrics.registry.getMetricsAsJSON() };
}
