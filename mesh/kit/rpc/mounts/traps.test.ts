import { create } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { EchoService, ServerStreamResponseSchema } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { errorInfoOf, rpcError } from '../../base/errors.ts';
import { collect, sleep } from '../../base/streams.ts';
import { defineService, type Rpcs } from '../../host/define-service.ts';
import { faces, mountEveryFace } from '../../testing/faces.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';

// Errors, deadlines, cancellation and back-pressure: the same over each face.

type Impl = Rpcs<readonly [typeof EchoService]>;

const serviceOf = (impl: Impl) =>
  defineService({
    name: 'echo',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl, close: async () => {} }),
  });

const caught = async (work: Promise<unknown>): Promise<ConnectError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConnectError)) throw new Error(`no ConnectError but ${error}`);
  return error;
};

/** Runs `check` against an implementation, over each face. */
async function onEveryFace(
  impl: Impl,
  check: (client: Client<typeof EchoService>, mesh: TestMesh) => Promise<void>,
): Promise<void> {
  await using mesh = await startTestMesh([serviceOf(impl)]);
  await using clients = await mountEveryFace(mesh);
  for (const face of faces) await check(clients.client(EchoService, face), mesh);
}

describe('errors', () => {
  test('an unknown throw becomes a bare Internal: its text does not leave the process', async () => {
    const impl: Impl = {
      unary: () => {
        throw new Error('secret: db password');
      },
      // biome-ignore lint/correctness/useYield: the failure before the first message is the point.
      async *serverStream() {
        throw new TypeError('secret: stack');
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      const options = await mesh.as();
      for (const call of [() => client.unary({}, options), () => collect(client.serverStream({}, options))]) {
        const error = await caught(call());
        expect(error.code).toBe(Code.Internal);
        expect(error.message).not.toContain('secret');
        expect(errorInfoOf(error)?.reason).toBe('INTERNAL');
      }
    });
  });

  test('details and metadata of an error arrive, also after messages', async () => {
    const impl: Impl = {
      async *serverStream() {
        yield { text: 'a' };
        const parts = { metadata: { kind: 'job', id: '7' }, retryAfterMs: 1500 };
        throw rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, '慢一点', parts);
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      const seen: string[] = [];
      const error = await caught(
        (async () => {
          for await (const { text } of client.serverStream({}, await mesh.as())) seen.push(text);
        })(),
      );
      expect(seen).toEqual(['a']);
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(error.rawMessage).toBe('慢一点');
      expect(errorInfoOf(error)?.metadata).toEqual({ kind: 'job', id: '7' });
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    });
  });

  test('a header that the wire cannot carry fails its call, and nothing else', async () => {
    const impl: Impl = {
      unary: (_request, context) => {
        context.responseHeader.set('x-word', 'café');
        return {};
      },
      async *serverStream(_request, context) {
        context.responseHeader.set('x-word', 'café');
        yield { text: 'first' };
      },
    };
    await using mesh = await startTestMesh([serviceOf(impl)]);
    const client = mesh.grpcClient(EchoService);
    for (let turn = 0; turn < 2; turn++) {
      expect((await caught(client.unary({}, await mesh.as()))).code).toBe(Code.Internal);
      expect((await caught(collect(client.serverStream({}, await mesh.as())))).code).toBe(Code.Internal);
    }
  });

  test('a method that is not implemented says so', async () => {
    await onEveryFace({}, async (client, mesh) => {
      expect((await caught(client.unary({}, await mesh.as()))).code).toBe(Code.Unimplemented);
    });
  });
});

describe('deadlines and cancellation', () => {
  test('the deadline of the caller is what the handler sees, and ends the call even if the handler does not listen', async () => {
    const seen: (number | undefined)[] = [];
    const impl: Impl = {
      unary: async (_request, context) => {
        seen.push(context.timeoutMs());
        await new Promise(() => {});
        return {};
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      const error = await caught(client.unary({}, await mesh.as(undefined, { timeoutMs: 60 })));
      expect(error.code).toBe(Code.DeadlineExceeded);
    });
    for (const timeoutMs of seen) expect(timeoutMs).toBeLessThanOrEqual(60);
  });

  test('without one, the contract sets it', async () => {
    const seen: (number | undefined)[] = [];
    const impl: Impl = {
      unary: (_request, context) => {
        seen.push(context.timeoutMs());
        return {};
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      await client.unary({}, await mesh.as());
    });
    for (const timeoutMs of seen) expect(timeoutMs).toBeGreaterThan(9000);
    for (const timeoutMs of seen) expect(timeoutMs).toBeLessThanOrEqual(10_000);
  });

  test('a cancel reaches the handler, in a wait and in a stream', async () => {
    const aborted: string[] = [];
    const impl: Impl = {
      unary: async (_request, context) => {
        await sleep(10_000, context.signal).catch(() => aborted.push('unary'));
        return {};
      },
      async *serverStream(_request, context) {
        yield { text: 'first' };
        await sleep(10_000, context.signal).catch(() => aborted.push('stream'));
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      aborted.length = 0;
      const controller = new AbortController();
      const options = await mesh.as(undefined, { signal: controller.signal });
      const unary = caught(client.unary({}, options));
      const stream = caught(
        (async () => {
          for await (const _ of client.serverStream({}, options)) controller.abort();
        })(),
      );
      expect((await unary).code).toBe(Code.Canceled);
      expect((await stream).code).toBe(Code.Canceled);
      while (aborted.length < 2) await sleep(5);
      expect(aborted.sort()).toEqual(['stream', 'unary']);
    });
  });

  test('a call made for a call has no more time than is left, and is not made if none is left', async () => {
    const budgets: (number | undefined)[] = [];
    const impl: Impl = {
      unary: async (_request, context) => {
        budgets.push(context.forward({ timeoutMs: 60_000 }).timeoutMs);
        await sleep(80);
        expect(() => context.forward()).toThrow(ConnectError);
        return {};
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      await caught(client.unary({}, await mesh.as(undefined, { timeoutMs: 50 })));
    });
    for (const budget of budgets) expect(budget).toBeLessThanOrEqual(50);
  });
});

describe('streams', () => {
  test('a producer waits for a slow consumer', async () => {
    let produced = 0;
    const text = 'x'.repeat(10_000);
    const impl: Impl = {
      async *serverStream() {
        for (; produced < 20_000; produced++) yield create(ServerStreamResponseSchema, { text });
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      produced = 0;
      for await (const _ of client.serverStream({}, await mesh.as())) {
        await sleep(200);
        break;
      }
      expect(produced).toBeLessThan(2000);
    });
  });

  test('headers come before the first message, and trailers at the end', async () => {
    const impl: Impl = {
      async *serverStream(_request, context) {
        context.responseHeader.set('x-first', 'head');
        context.responseTrailer.set('x-last', 'tail');
        yield { text: 'a' };
      },
      unary: (_request, context) => {
        context.responseHeader.set('x-first', 'head');
        context.responseTrailer.set('x-last', 'tail');
        return { text: 'a' };
      },
    };
    await onEveryFace(impl, async (client, mesh) => {
      for (const kind of ['stream', 'unary']) {
        const order: string[] = [];
        const options = {
          ...(await mesh.as()),
          onHeader: (headers: Headers) => order.push(`header ${headers.get('x-first')}`),
          onTrailer: (trailers: Headers) => order.push(`trailer ${trailers.get('x-last')}`),
        };
        if (kind === 'unary') {
          await client.unary({}, options);
          expect(order).toEqual(['header head', 'trailer tail']);
        } else {
          for await (const { text } of client.serverStream({}, options)) order.push(text);
          expect(order).toEqual(['header head', 'a', 'trailer tail']);
        }
      }
    });
  });
});

test('a message larger than the limit is refused on the network', async () => {
  await using mesh = await startTestMesh([serviceOf({ clientStream: async () => ({}) })]);
  const error = await caught(mesh.grpcClient(EchoService).unary({ text: 'x'.repeat(5 << 20) }, await mesh.as()));
  expect(error.code).toBe(Code.ResourceExhausted);
});
