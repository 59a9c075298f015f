import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { defineService } from '../../host/define-service.ts';
import { echo } from '../../testing/echo.ts';
import { startInnerGroup } from '../../testing/group.ts';

interface Seats {
  take(name: string): Promise<boolean>;
}

/** Replies whether a seat was free; the seats are the state of the group. */
const seated = defineService({
  name: 'seated',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  place: () => 'workers',
  async state() {
    const taken = new Map<string, object>();
    return {
      connect() {
        const by = {};
        const port: Seats = {
          async take(name) {
            if (taken.has(name)) return false;
            taken.set(name, by);
            return true;
          },
        };
        const close = () => {
          for (const [name, owner] of taken) if (owner === by) taken.delete(name);
        };
        return { port, close };
      },
      close: async () => {},
    };
  },
  create: async ({ state }) => ({
    impl: { unary: async ({ text }) => ({ text: (await state.take(text)) ? 'taken' : 'occupied' }) },
    close: async () => {},
  }),
});

test('workers share the state of a service, and what one held is free when it has left', async () => {
  await using group = await startInnerGroup([seated], 2);
  const [first, second] = group.workers;
  const options = await group.owner.as();
  const take = async (worker = first) => (await worker?.client(EchoService).unary({ text: 'window' }, options))?.text;
  expect(await take()).toBe('taken');
  expect(await take(second)).toBe('occupied');
  group.connections[0]?.close();
  await expect.poll(() => take(second)).toBe('taken');
});

test('a worker serves the services of the owner on its gRPC port, and the owner checks the caller', async () => {
  await using group = await startInnerGroup([echo], 1);
  const [worker] = group.workers;
  const options = await group.owner.as();
  expect((await worker?.grpcClient(EchoService).unary({ text: 'a' }, options))?.text).toBe('a');
  const anonymous = await worker?.grpcClient(EchoService).unary({ text: 'a' }).catch(ConnectError.from);
  expect(anonymous).toMatchObject({ code: Code.Unauthenticated });
});
