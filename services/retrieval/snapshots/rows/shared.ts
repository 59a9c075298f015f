// Typed arrays over shared memory: threads exchange them without a copy.

/** Returns a copy of the first `length` values in shared memory of exactly that size. */
export function shareBytes(values: Uint8Array, length = values.length): Uint8Array<SharedArrayBuffer> {
  const shared = new Uint8Array(new SharedArrayBuffer(length));
  shared.set(values.subarray(0, length));
  return shared;
}

/** Returns a copy of the first `length` values in shared memory of exactly that size. */
export function shareUint32(values: Uint32Array, length = values.length): Uint32Array<SharedArrayBuffer> {
  const shared = new Uint32Array(new SharedArrayBuffer(length * 4));
  shared.set(values.subarray(0, length));
  return shared;
}

/** A list of numbers below 2^32 that grows. */
export interface Uint32List {
  readonly length: number;
  push(value: number): void;
  /** Returns the values in shared memory. */
  share(): Uint32Array<SharedArrayBuffer>;
}

/** Creates a list with room for `capacity` numbers; it doubles when it is full. */
export function createUint32List(capacity = 1024): Uint32List {
  let values = new Uint32Array(Math.max(16, capacity));
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(value) {
      if (length === values.length) {
        const grown = new Uint32Array(values.length * 2);
        grown.set(values);
        values = grown;
      }
      values[length++] = value;
    },
    share: () => shareUint32(values, length),
  };
}
