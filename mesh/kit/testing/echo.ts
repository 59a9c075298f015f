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

/** Creates an echo whose streams wait for `release`: one behind its first message, and `lateStream` before it. */
export function createSlowEcho() {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
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
