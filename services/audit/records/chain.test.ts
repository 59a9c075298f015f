import { create, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AuditEntrySchema, RecordRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { toCanonicalBytes, toRecordBytes } from './chain.ts';

test('the canonical bytes of an entry are those that any program makes of its content', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.nat({ max: 200 })),
      fc.integer({ min: 0, max: 4_000_000_000_000 }),
      (sequence, tenant, user, answer, citedMarkers, recordedAt) => {
        const record = create(RecordRequestSchema, {
          answerId: 'a1',
          answer,
          citedMarkers,
          evidence: citedMarkers.map((marker) => ({ chunkId: `c${marker}`, score: marker / 7 })),
          askedAt: timestampFromMs(recordedAt),
        });
        const entry = create(AuditEntrySchema, {
          sequence: BigInt(sequence),
          tenant,
          user,
          record,
          recordedAt: timestampFromMs(recordedAt),
        });
        const recordBytes = toRecordBytes(record);
        const bytes = toCanonicalBytes({ sequence, tenant, user, recordedAt, recordBytes });
        expect(Buffer.from(bytes)).toEqual(Buffer.from(toBinary(AuditEntrySchema, entry)));
      },
    ),
  );
});
