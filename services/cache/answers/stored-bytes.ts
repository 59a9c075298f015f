import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ChangedBytesError, type StoredAnswer } from './answer-store.ts';

// An answer as one value of a shared store: CRC-32 (4 bytes) of its key and the rest, the layout (1 byte), and a protobuf message:
//   1 stored_at, 2 stale_at, 3 expires_at (double, ms)   4 epoch (string)   5 labels (JSON, which is read faster than strings one by one)   6 scope (bytes)
//   7 value (bytes), or 8 value compressed by zstd, with 9 its whole size (uint32)
// The checksum includes the key, so that a value that was copied to another key is not accepted there.

const layout = 1;
const headBytes = 5;
/** Values from this size on are compressed; compressing smaller ones takes as long as fetching them. */
const compressFromBytes = 16_384;
/** The fastest level that still shrinks text to a third. */
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** No larger value is ever stored. */
const maxValueBytes = 64 * 1024 * 1024;

/** Returns the bytes of an answer that began in `epoch`, and how many of them compression saved. */
export function encodeStored(answer: StoredAnswer, epoch: string): { bytes: Buffer; savedBytes: number } {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(answer.storedAtMs);
  writer.tag(2, WireType.Bit64).double(answer.staleAtMs);
  writer.tag(3, WireType.Bit64).double(answer.expiresAtMs);
  writer.tag(4, WireType.LengthDelimited).string(epoch);
  writer.tag(5, WireType.LengthDelimited).string(JSON.stringify(answer.labels));
  writer.tag(6, WireType.LengthDelimited).bytes(answer.scope);
  const { value } = answer;
  const packed = value.byteLength < compressFromBytes ? undefined : zstdCompressSync(value, compression);
  const savedBytes = packed === undefined ? 0 : value.byteLength - packed.byteLength;
  if (packed === undefined || savedBytes <= 0) {
    writer.tag(7, WireType.LengthDelimited).bytes(value);
  } else {
    writer.tag(8, WireType.LengthDelimited).bytes(packed);
    writer.tag(9, WireType.Varint).uint32(value.byteLength);
  }
  const body = writer.finish();
  const bytes = Buffer.allocUnsafe(headBytes + body.byteLength);
  bytes[4] = layout;
  bytes.set(body, headBytes);
  bytes.writeUInt32BE(checksum(answer.key, bytes), 0);
  return { bytes, savedBytes: Math.max(0, savedBytes) };
}

/** Returns the answer of {@link encodeStored}. Throws ChangedBytesError if the bytes are not what was written for this key. */
export function decodeStored(tenant: string, key: string, bytes: Buffer): { answer: StoredAnswer; epoch: string } {
  if (bytes.byteLength < headBytes || bytes.readUInt32BE(0) !== checksum(key, bytes)) {
    throw new ChangedBytesError('the stored bytes have changed');
  }
  if (bytes[4] !== layout) throw new ChangedBytesError(`layout ${bytes[4]} of the stored bytes is not known`);
  const reader = new BinaryReader(
    new Uint8Array(bytes.buffer, bytes.byteOffset + headBytes, bytes.byteLength - headBytes),
  );
  const answer: StoredAnswer = {
    tenant,
    key,
    value: new Uint8Array(),
    storedAtMs: 0,
    staleAtMs: 0,
    expiresAtMs: 0,
    labels: [],
    scope: new Uint8Array(),
  };
  let epoch = '';
  let packed: Uint8Array | undefined;
  let sizeBytes = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) answer.storedAtMs = reader.double();
    else if (field === 2) answer.staleAtMs = reader.double();
    else if (field === 3) answer.expiresAtMs = reader.double();
    else if (field === 4) epoch = reader.string();
    else if (field === 5) answer.labels = JSON.parse(reader.string()) as string[];
    else if (field === 6) answer.scope = reader.bytes();
    else if (field === 7) answer.value = reader.bytes();
    else if (field === 8) packed = reader.bytes();
    else if (field === 9) sizeBytes = reader.uint32();
    // A field of a newer release, which shares the store.
    else reader.skip(wireType);
  }
  if (packed !== undefined) answer.value = unpack(packed, sizeBytes);
  return { answer, epoch };
}

function unpack(packed: Uint8Array, sizeBytes: number): Uint8Array {
  if (sizeBytes > maxValueBytes) throw new ChangedBytesError('the stored value is larger than any that was put');
  const value = zstdDecompressSync(packed, { maxOutputLength: sizeBytes });
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function checksum(key: string, bytes: Buffer): number {
  return crc32(bytes.subarray(4), crc32(key));
}
