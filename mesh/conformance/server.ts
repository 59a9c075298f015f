import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { CallContext } from '#kit/rpc/context.ts';
import { loadContract, type ServerCompatRequest } from './contract.ts';
import { frame, readFrames } from './framing.ts';
import { createConformanceService } from './service.ts';
import type { Serve } from './stacks/stack.ts';

// A server under test: `node server.ts <image> <module of a stack>`. It reads what to serve from stdin, reports its port on
// stdout, and runs until it is ended.

const defaultLimitBytes = 4 << 20;

const [imagePath, stackPath] = process.argv.slice(2);
if (imagePath === undefined || stackPath === undefined) throw new Error('usage: node server.ts <image> <stack>');
const contract = loadContract(imagePath);
const urls = new WeakMap<CallContext, string>();
const { serve } = (await import(pathToFileURL(resolve(stackPath)).href)) as { serve: Serve };

for await (const bytes of readFrames(process.stdin)) {
  const request = fromBinary(contract.message('ServerCompatRequest'), bytes) as ServerCompatRequest;
  const port = await serve({
    service: contract.service,
    handlers: createConformanceService(contract, urls),
    urls,
    registry: contract.registry,
    maxMessageBytes: request.messageReceiveLimit || defaultLimitBytes,
  });
  const schema = contract.message('ServerCompatResponse');
  process.stdout.write(frame(toBinary(schema, create(schema, { host: '127.0.0.1', port } as never))));
  break;
}
