import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { RetrieveRequestSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { checkWire } from './wire-bounds.ts';

const schemas = [AskRequestSchema, RetrieveRequestSchema, ConfigSchema];

test('what it lets pass, the parser can parse', () => {
  const valid = schemas.map((schema) => [...toBinary(schema, sampleOf(schema))]);
  const damaged = fc
    .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }), fc.nat())
    .map(([bytes, changes, length]) => {
      const copy = [...bytes];
      for (const [at, byte] of changes) copy[at % copy.length] = byte;
      return Uint8Array.from(length % 3 === 0 ? copy.slice(0, length % copy.length) : copy);
    });
  let passed = 0;
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 40 })), fc.constantFrom(...schemas), (bytes, schema) => {
      try {
        checkWire(schema, bytes, 1000);
      } catch (error) {
        expect(error).toMatchObject({ code: Code.InvalidArgument });
        return;
      }
      passed++;
      fromBinary(schema, bytes);
    }),
    { numRuns: 5000 },
  );
  expect(passed).toBeGreaterThan(100);
});

test('every valid message passes: nested, repeated, packed, maps, presence', () => {
  for (const schema of schemas) {
    expect(() => checkWire(schema, toBinary(schema, sampleOf(schema)), 1000)).not.toThrow();
  }
});

test('values are counted in all their forms: elements, packed elements, fields inside, unknown ones', () => {
  const corpora = toBinary(RetrieveRequestSchema, create(RetrieveRequestSchema, { corpora: Array(500).fill('c') }));
  const legs = toBinary(RetrieveRequestSchema, create(RetrieveRequestSchema, { without: Array(500).fill(1) }));
  const inside = toBinary(
    RetrieveRequestSchema,
    create(RetrieveRequestSchema, { filter: { documentIds: Array(500).fill('d') } }),
  );
  for (const bytes of [corpora, legs, inside]) {
    expect(() => checkWire(RetrieveRequestSchema, bytes, 1000)).not.toThrow();
    expect(() => checkWire(RetrieveRequestSchema, bytes, 499)).toThrow('more than 499 values');
  }
  const unknown = new Uint8Array(3 * 1001).map((_, index) => [0xf8, 0x7f, 0x00][index % 3] as number);
  expect(() => checkWire(RetrieveRequestSchema, unknown, 100_000)).toThrow('more than 1000 fields');
  expect(() => checkWire(RetrieveRequestSchema, unknown.subarray(3), 100_000)).not.toThrow();
});

function sampleOf(schema: (typeof schemas)[number]) {
  if (schema === AskRequestSchema) {
    return create(AskRequestSchema, {
      question: '退货?',
      corpora: ['a', 'b'],
      temperature: 0.5,
      history: [{ question: 'q', answer: 'a', askedAt: { seconds: 1n << 40n, nanos: 5 }, citations: [{ marker: 1 }] }],
      filter: { documentIds: ['d'], languages: [1, 2], attributes: [{ name: 'n', values: ['v'] }] },
    });
  }
  if (schema === RetrieveRequestSchema) {
    return create(RetrieveRequestSchema, { query: 'q', legs: [1, 2], without: [1], rerank: false, vectorWeight: 0.25 });
  }
  return create(ConfigSchema, {
    addresses: { chat: '127.0.0.1:1', llm: '' },
    edge: {
      port: 0,
      apiKeys: [{ id: 'k', roles: [1, 2], expiresAt: { seconds: -1n } }],
      limiter: { settings: { a: 1 } },
    },
  });
}
