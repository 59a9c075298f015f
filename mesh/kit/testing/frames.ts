import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A proxy in front of an HTTP/2 server that counts what its clients do. */
export interface FrameCounter extends AsyncDisposable {
  port: number;
  /** RST_STREAM frames that clients have sent. */
  resetCount(): number;
  /** Connections that clients have opened. */
  connectionCount(): number;
}

const prefaceBytes = 24;
const frameHeadBytes = 9;
const rstStream = 3;

/** Starts a proxy before `port` of this machine. It reads the frames of clients (RFC 9113, section 4.1) and passes all bytes on. */
export async function startFrameCounter(port: number): Promise<FrameCounter> {
  let resetCount = 0;
  let connectionCount = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    connectionCount++;
    const upstream = connect(port, '127.0.0.1');
    const count = createFrameReader((type) => {
      if (type === rstStream) resetCount++;
    });
    client.on('data', count);
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
        sockets.delete(socket);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    resetCount: () => resetCount,
    connectionCount: () => connectionCount,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Calls `onFrame` with the type of each frame, however the bytes are cut into chunks.
function createFrameReader(onFrame: (type: number) => void): (chunk: Buffer) => void {
  let skipBytes = prefaceBytes;
  let head: Buffer = Buffer.alloc(0);
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      const skipped = Math.min(skipBytes, chunk.length - at);
      skipBytes -= skipped;
      at += skipped;
      if (skipBytes > 0) return;
      const taken = chunk.subarray(at, at + frameHeadBytes - head.length);
      head = Buffer.concat([head, taken]);
      at += taken.length;
      if (head.length < frameHeadBytes) return;
      onFrame(head[3] as number);
      skipBytes = head.readUIntBE(0, 3);
      head = Buffer.alloc(0);
    }
  };
}
