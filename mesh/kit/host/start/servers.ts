import { create } from '@bufbuild/protobuf';
import { AdminConfigSchema, type Config, type GrpcConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics/metrics.ts';
import { startGrpcServer } from '../../rpc/grpc/server.ts';
import type { GrpcTls } from '../../rpc/grpc/tls.ts';
import type { Link } from '../../rpc/pipe/link.ts';
import { type FrameHandler, mountPipe } from '../../rpc/pipe/mount.ts';
import { type Ports, servePorts } from '../../rpc/pipe/ports.ts';
import { startPipeServer } from '../../rpc/pipe/server.ts';
import { FrameKind } from '../../rpc/pipe/wire.ts';
import { startAdmin } from '../admin.ts';
import type { Faces } from '../faces.ts';
import type { ReadinessMonitor } from '../readiness.ts';
import type { GroupPart } from './group-part.ts';

/** The servers of a process. */
export interface Servers {
  /** 0: it has none. */
  grpcPort: number;
  adminPort: number;
  /** Accepts no new calls, waits at most `graceMs` for those in flight, and then cuts them. */
  drain(graceMs: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the servers of a process: gRPC and admin. In a group, the owner serves its workers instead, and the workers serve gRPC; the admin
 * port is that of the process which started them.
 */
export async function openServers(
  { config, log, group }: { config: Config; log: Logger; group?: GroupPart },
  { host, port, maxMessageBytes }: GrpcConfig,
  tls: GrpcTls | undefined,
  faces: Faces,
  ports: Ports,
  readiness: ReadinessMonitor,
  metrics: Metrics,
): Promise<Servers> {
  if (group?.role === 'owner') {
    const onBug = (error: unknown) => log.error({ event: 'port_failed', err: error }, 'call of a worker failed');
    const accept = both(mountPipe(faces.piped(), maxMessageBytes), servePorts(ports, onBug));
    const server = await startPipeServer({ path: group.path, maxMessageBytes, accept });
    return { grpcPort: 0, adminPort: 0, drain: async () => {}, close: () => server.close() };
  }
  const grpcServer = await startGrpcServer({ host, port, methods: faces.network, maxMessageBytes, tls });
  if (group?.role === 'worker') {
    return { grpcPort: grpcServer.port, adminPort: 0, drain: grpcServer.drain, close: async () => {} };
  }
  const adminConfig = config.admin ?? create(AdminConfigSchema);
  const admin = await startAdmin(adminConfig.host, adminConfig.port, readiness.reports, () => metrics.registry).catch(
    async (error) => {
      await grpcServer.drain(0);
      throw error;
    },
  );
  return {
    grpcPort: grpcServer.port,
    adminPort: admin.port,
    drain: grpcServer.drain,
    close: () => admin.close(),
  };
}

type Accept = (link: Link) => FrameHandler;

function both(calls: Accept, ports: Accept): Accept {
  return (link) => {
    const [toCalls, toPorts] = [calls(link), ports(link)];
    return {
      onFrame(kind, call, payload) {
        (kind === FrameKind.PORT_CALL ? toPorts : toCalls).onFrame(kind, call, payload);
      },
      onClose() {
        toCalls.onClose();
        toPorts.onClose();
      },
    };
  };
}
