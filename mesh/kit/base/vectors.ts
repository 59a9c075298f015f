import { create } from '@bufbuild/protobuf';
import { type Vector, VectorSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { invalidArgument } from './errors.ts';

/** Numbers as the contract's dense vector (little-endian float32 bytes). The bytes share the numbers' memory. */
export function toVector(values: Float32Array): Vector {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return create(VectorSchema, { kind: { case: 'dense', value: { dimensions: values.length, values: bytes } } });
}

/** The numbers of a dense vector, `Float32Array[dimensions]`. Throws INVALID_ARGUMENT for any other kind or length. */
export function fromVector(vector: Vector | undefined): Float32Array {
  if (vector?.kind.case !== 'dense') throw invalidArgument('a dense vector is needed');
  const { values, dimensions } = vector.kind.value;
  if (values.byteLength !== dimensions * 4) {
    throw invalidArgument(`a vector of ${dimensions} dimensions has ${dimensions * 4} bytes, not ${values.byteLength}`);
  }
  // Bytes from a wire may start anywhere; float32 must start at a multiple of four. `slice` would not copy a Buffer.
  const aligned = values.byteOffset % 4 === 0 ? values : new Uint8Array(values);
  return new Float32Array(aligned.buffer, aligned.byteOffset, dimensions);
}
