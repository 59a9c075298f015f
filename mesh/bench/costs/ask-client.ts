import { create, toBinary } from '@bufbuild/protobuf';
import { AskRequestSchema, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { createRawClient, type RawClient } from '../raw-client.ts';

/** Creates a client that asks one question after another through an edge; a connection for each. */
export function createAskClient(edgePort: number, key: string, questions: readonly string[], bypassCache: boolean) {
  const bodies = questions.map((question) =>
    toBinary(AskRequestSchema, create(AskRequestSchema, { question, bypassCache })),
  );
  const path = `/${ChatService.typeName}/Ask`;
  // Connected at the first call: an edge ends a connection that stays without a request.
  const clients = bodies.map((body) => {
    let client: RawClient | undefined;
    return {
      call() {
        client ??= createRawClient(`http://127.0.0.1:${edgePort}`, path, body, key);
        return client.call();
      },
      close: () => client?.close(),
    };
  });
  let next = 0;
  return {
    call: () => clients[next++ % clients.length]?.call() ?? Promise.reject(new Error('there is no question')),
    close: () => {
      for (const client of clients) client.close();
    },
  };
}
