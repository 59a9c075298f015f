import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { type ConnectServer, startConnectServer } from './connect.ts';
import type { TestMesh } from './mesh.ts';
import { startTestPipe } from './pipe.ts';

/** Every way to call a service: three mounts, and the fourth by each protocol that it speaks. */
export const faces = ['grpc', 'local', 'pipe', 'connect', 'connect, compressed', 'grpc-web', 'grpc over http'] as const;
export type Face = (typeof faces)[number];

/** Clients of a mesh's services by every mount. */
export interface FaceClients extends AsyncDisposable {
  client<Desc extends DescService>(contract: Desc, face: Face): Client<Desc>;
}

/** Mounts the services of a test mesh on Connect and on a pipe as well, and returns clients for each face. The mesh stays the caller's. */
export async function mountEveryFace(mesh: TestMesh): Promise<FaceClients> {
  const server: ConnectServer = await startConnectServer(mesh.host.methods);
  const pipe = await startTestPipe(mesh.host.methods);
  return {
    client(contract, face) {
      if (face === 'grpc') return mesh.grpcClient(contract);
      if (face === 'local') return mesh.client(contract);
      if (face === 'pipe') return pipe.client(contract);
      return server.client(contract, face);
    },
    async [Symbol.asyncDispose]() {
      await pipe[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
