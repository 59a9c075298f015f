import { test } from 'vitest';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { startTestMesh } from '#kit/testing.ts';
import { cache } from './index.ts';
import { lookUp, scopeOf } from './testing.ts';
test('x', async () => {
  await using mesh = await startTestMesh([cache]);
  const client = mesh.client(CacheService);
  const options = await mesh.as();
  for await (const { event } of client.lookup({ question: 'given back', scope: scopeOf() }, options)) {
    console.log(event.case); break;
  }
  await new Promise((r) => setTimeout(r, 50));
  console.log((await lookUp(client, options, 'given back')).kinds);
}, 15000);
