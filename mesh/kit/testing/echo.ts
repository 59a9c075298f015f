import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { defineService } from '../host/define-service.ts';

/** The smallest service, for tests and benchmarks of the kit. */
export const echo = defineService({
  name: 'echo',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  async create() {
    return {
      impl: {
        unary: ({ text }) => ({ text }),
        async *serverStream({ text, count }) {
          for (let index = 0; index < count; index++) yield { text };
        },
        async *lateStream() {
          yield { text: 'late' };
        },
        async clientStream(requests) {
          const texts: string[] = [];
          for await (const { text } of requests) texts.push(text);
          return { text: texts.join(''), count: texts.length };
        },
        async *bidiStream(requests) {
          for await (const { text } of requests) yield { text };
        },
      },
      close: async () => {},
    };
  },
});

/** Creates an echo whose stream ends when `release` is called. */
export function createSlowEcho() {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const service = defineService({
    name: 'echo',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *serverStream() {
          yield { text: 'first' };
          await released;
          yield { text: 'last' };
        },
      },
      close: async () => {},
    }),
  });
  return { service, release };
}

/** Creates an echo whose streams say nothing until `release` is called, then "late". */
export function createSilentEcho() {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const service = defineService({
    name: 'echo',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *lateStream() {
          await released;
          yield { text: 'late' };
        },
      },
      close: async () => {},
    }),
  });
  return { service, release };
}
