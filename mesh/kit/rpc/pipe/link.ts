import type { Socket } from 'node:net';

/** Frames over one socket, in their order. */
export interface Link {
  /** Sends a frame; all frames of a turn of the event loop leave in one write. */
  send(kind: number, call: number, payload: Uint8Array): void;
  /** Bytes that the peer has not taken yet. */
  waitingBytes(): number;
  /** Ends the connection; `onClose` follows. */
  destroy(): void;
}

/** What a link reports. */
export interface LinkEvents {
  /** Largest frame that the peer may send, in bytes; a larger one ends the connection. */
  maxFrameBytes: number;
  /** A frame has arrived. The payload shares memory with others that have: copy what is kept for long. */
  onFrame(kind: number, call: number, payload: Buffer): void;
  /** The connection has ended. */
  onClose(): void;
}

/** Bytes before a payload: its length (4), the number of the call (4), the kind (1). */
const headBytes = 9;

/** Creates a link over a connected socket. */
export function createLink(socket: Socket, { maxFrameBytes, onFrame, onClose }: LinkEvents): Link {
  let kinds: number[] = [];
  let calls: number[] = [];
  let payloads: Uint8Array[] = [];
  let queuedBytes = 0;

  const flush = () => {
    if (socket.destroyed) return;
    const bytes = Buffer.allocUnsafe(queuedBytes);
    let at = 0;
    for (const [index, payload] of payloads.entries()) {
      bytes.writeUInt32LE(payload.length, at);
      bytes.writeUInt32LE(calls[index] as number, at + 4);
      bytes[at + 8] = kinds[index] as number;
      bytes.set(payload, at + headBytes);
      at += headBytes + payload.length;
    }
    kinds = [];
    calls = [];
    payloads = [];
    queuedBytes = 0;
    socket.write(bytes);
  };

  const read = createFrameReader(maxFrameBytes, onFrame, () => socket.destroy());
  socket.on('data', read);
  socket.on('error', () => {});
  socket.once('close', onClose);
  return {
    send(kind, call, payload) {
      if (socket.destroyed) return;
      // After the poll phase: what all sockets of this turn caused leaves together.
      if (queuedBytes === 0) setImmediate(flush);
      kinds.push(kind);
      calls.push(call);
      payloads.push(payload);
      queuedBytes += headBytes + payload.length;
    },
    waitingBytes: () => queuedBytes + socket.writableLength,
    destroy: () => socket.destroy(),
  };
}

// Cuts chunks into frames. Chunks of a frame that is not whole are kept apart, so that a large frame is copied once.
function createFrameReader(
  maxFrameBytes: number,
  onFrame: LinkEvents['onFrame'],
  onTooLarge: () => void,
): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let haveBytes = 0;
  let needBytes = headBytes;
  return (chunk) => {
    chunks.push(chunk);
    haveBytes += chunk.length;
    if (haveBytes < needBytes) return;
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, haveBytes);
    let at = 0;
    needBytes = headBytes;
    while (bytes.length - at >= headBytes) {
      const length = bytes.readUInt32LE(at);
      if (length > maxFrameBytes) return onTooLarge();
      needBytes = headBytes + length;
      if (bytes.length - at < needBytes) break;
      const payload = bytes.subarray(at + headBytes, at + needBytes);
      onFrame(bytes[at + 8] as number, bytes.readUInt32LE(at + 4), payload);
      at += needBytes;
      needBytes = headBytes;
    }
    chunks = at === bytes.length ? [] : [bytes.subarray(at)];
    haveBytes = bytes.length - at;
  };
}
