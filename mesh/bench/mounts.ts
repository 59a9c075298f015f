import { fork } from 'node:child_process';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Client as GrpcClient } from '@grpc/grpc-js';
import {
  EchoService,
  type UnaryRequest,
  UnaryRequestSchema,
  UnaryResponseSchema,
} from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { grpc } from '#kit/rpc/grpc/grpc-js.ts';
import { echo } from '#kit/testing/echo.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { callsPerSecond, median, type Row } from './measure.ts';

// Our mounts against the bare library, in one run: rounds alternate, so that a noisy machine hits all alike.

const rounds = 7;
const seconds = 1.2;
const callers = 64;

/** Rows: the grpc mount against bare grpc-js, and the local mount against the grpc mount. */
export async function benchMounts(): Promise<Row[]> {
  // Servers run in a process of their own, so that what is measured is the server and not the load.
  const server = fork(new URL('./echo-servers.ts', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const { bare, ours, authorization } = await new Promise<{ bare: number; ours: number; authorization: string }>(
      (resolve, reject) => {
        server.once('message', resolve as (message: unknown) => void);
        server.once('exit', (code) => reject(new Error(`the echo servers ended with ${code}`)));
      },
    );
    const cpuUs = () =>
      new Promise<number>((resolve) => {
        server.once('message', (message: { cpuUs: number }) => resolve(message.cpuUs));
        server.send('cpu');
      });
    /** Calls that the server serves in a second of its CPU: what it would serve if the load were never the limit. */
    const callsPerCpuSecond = async (call: () => Promise<unknown>) => {
      const before = await cpuUs();
      let count = 0;
      await callsPerSecond(callers, seconds, async () => {
        await call();
        count++;
      });
      return (count * 1e6) / ((await cpuUs()) - before);
    };
    const bareCall = caller(bare, authorization);
    const ourCall = caller(ours, authorization);
    await using mesh = await startTestMesh([echo]);
    const options = await mesh.as();
    const message = create(UnaryRequestSchema, { text: 'hello' });
    const local = mesh.client(EchoService);
    const overGrpc = mesh.grpcClient(EchoService);
    const rates = { bare: [] as number[], ours: [] as number[], local: [] as number[], same: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      rates.bare.push(await callsPerCpuSecond(bareCall.call));
      rates.ours.push(await callsPerCpuSecond(ourCall.call));
      rates.same.push(await callsPerSecond(callers, seconds, () => overGrpc.unary(message, options)));
      rates.local.push(await callsPerSecond(callers, seconds, () => local.unary(message, options)));
    }
    bareCall.client.close();
    ourCall.client.close();
    const ratio = (a: number[], b: number[]) => median(a.map((value, index) => value / (b[index] as number)));
    const rate = (values: number[]) => `${Math.round(median(values)).toLocaleString('en')}/s`;
    return [
      {
        name: 'grpc mount : bare grpc-js echo',
        measured: `requests a CPU second of the server: ${rate(rates.ours)} with every interceptor, bare ${rate(rates.bare)}`,
        value: ratio(rates.ours, rates.bare),
        sense: '≥',
        bar: 0.85,
      },
      {
        name: 'local mount : grpc mount',
        measured: `${rate(rates.local)} in process, ${rate(rates.same)} over grpc`,
        value: ratio(rates.local, rates.same),
        sense: '≥',
        bar: 20,
      },
    ];
  } finally {
    server.disconnect();
  }
}

// The same client for both servers, as thin as grpc-js allows.
function caller(port: number, authorization: string): { client: GrpcClient; call: () => Promise<unknown> } {
  const { Client, credentials, Metadata } = grpc();
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const serialize = (message: UnaryRequest) => Buffer.from(toBinary(UnaryRequestSchema, message));
  const deserialize = (bytes: Buffer) => fromBinary(UnaryResponseSchema, bytes);
  const message = create(UnaryRequestSchema, { text: 'hello' });
  const path = `/${EchoService.typeName}/Unary`;
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const call = () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, serialize, deserialize, message, metadata, {}, (error, response) =>
        error ? reject(error) : resolve(response),
      );
    });
  return { client, call };
}
