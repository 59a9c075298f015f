import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { jwtVerify } from 'jose';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { createReflection } from '#kit/host/reflection.ts';

interface Order {
  order_id: string;
  /** Who may see it. */
  users: string[];
  items: { zh: string; en: string };
  status: { zh: string; en: string };
  carrier: string;
  tracking_number: string;
  expected_on: string;
}

const file = (name: string) => readFileSync(new URL(name, import.meta.url));

/** Serves the sample's orders over gRPC, with reflection. `publicKeyPem`: of the mesh whose tokens name the callers. Resolves to the port. */
export async function serveOrders(publicKeyPem: string, port = 0): Promise<{ port: number; close(): Promise<void> }> {
  const key = createPublicKey(publicKeyPem);
  const orders = JSON.parse(file('orders.json').toString()) as Order[];
  const service = createFileRegistry(fromBinary(FileDescriptorSetSchema, file('orders.binpb'))).getService(
    'sample.orders.v1.OrderService',
  );
  if (service === undefined) throw new Error('orders.binpb has no OrderService: make it again with `buf build`');

  // Who calls, from the token that only this tool accepts.
  const callerOf = async ({ requestHeader }: HandlerContext, tool: string): Promise<string> => {
    const token = requestHeader.get('authorization')?.replace(/^Bearer /, '') ?? '';
    const options = { issuer: 'ragmesh', audience: `ragmesh-tool:${tool}` };
    const verified = await jwtVerify(token, key, options).catch(() => undefined);
    if (verified === undefined) throw new ConnectError('who are you?', Code.Unauthenticated);
    return String((verified.payload as { principal?: { user?: string } }).principal?.user);
  };
  // Another user's order does not exist for the caller.
  const find = (orderId: string, user: string): Order => {
    const found = orders.find((order) => order.order_id === orderId.toUpperCase() && order.users.includes(user));
    if (found === undefined) throw new ConnectError(`no order ${orderId}`, Code.NotFound);
    return found;
  };
  const languageOf = ({ requestHeader }: HandlerContext) =>
    requestHeader.get('accept-language')?.startsWith('zh') ? 'zh' : 'en';

  const handlers = {
    async getOrderStatus(request: { orderId: string }, context: HandlerContext) {
      const order = find(request.orderId, await callerOf(context, 'order_status'));
      const language = languageOf(context);
      const { order_id: orderId, carrier, tracking_number: trackingNumber, expected_on: expectedOn } = order;
      const shown = { items: order.items[language], status: order.status[language] };
      return { orderId, carrier, trackingNumber, expectedOn, ...shown };
    },
    async cancelOrder(request: { orderId: string }, context: HandlerContext) {
      const order = find(request.orderId, await callerOf(context, 'cancel_order'));
      if (order.carrier !== '') throw new ConnectError('the order has left the warehouse', Code.FailedPrecondition);
      order.status = { zh: '已取消，款项原路退回', en: 'cancelled; the money is returned the way it was paid' };
      return { orderId: order.order_id, status: order.status[languageOf(context)] };
    },
  };
  const server = createServer(
    connectNodeAdapter({
      connect: false,
      grpcWeb: false,
      routes(router) {
        router.service(service, handlers as never);
        router.service(ServerReflection, createReflection([service]).v1 as never);
      },
    }),
  );
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '50061' }, key: { type: 'string', default: 'data/identity.pem' } },
  });
  const { port } = await serveOrders(readFileSync(values.key, 'utf8'), Number(values.port));
  process.stdout.write(`orders of the sample: 127.0.0.1:${port}\n`);
}
