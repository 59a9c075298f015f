// Vectors as PostgreSQL reads and writes them in binary: as text a vector of 1024 dimensions takes 10 KB and 0.2 ms.

/** Returns a vector as pgvector receives it: the number of dimensions, 0, and the components as float32, all big-endian. */
export function encodeVector(vector: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + vector.length * 4);
  bytes.writeUInt16BE(vector.length, 0);
  bytes.writeUInt16BE(0, 2);
  for (const [index, component] of vector.entries()) bytes.writeFloatBE(component, 4 + index * 4);
  return bytes;
}

/**
 * Returns an array of one dimension as PostgreSQL receives it (array_recv): dimensions, whether it has NULL, type, length, and first index;
 * then each element with its length, -1 for NULL. `oid`: of the type of the elements.
 */
export function encodeArray(oid: number, elements: readonly (Buffer | undefined)[]): Buffer {
  const header = Buffer.alloc(20);
  header.writeInt32BE(1, 0);
  header.writeInt32BE(elements.includes(undefined) ? 1 : 0, 4);
  header.writeUInt32BE(oid, 8);
  header.writeInt32BE(elements.length, 12);
  header.writeInt32BE(1, 16);
  const parts = elements.flatMap((element) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(element?.length ?? -1);
    return element === undefined ? [length] : [length, element];
  });
  return Buffer.concat([header, ...parts]);
}
