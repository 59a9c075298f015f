import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createLink, type Link } from './link.ts';
import type { FrameHandler } from './mount.ts';
import { maxFrameBytesFor } from './wire.ts';

/** A server for the other processes of a group. */
export interface PipeServer {
  /** Accepts no new connections, and ends those that there are. */
  close(): Promise<void>;
}

/** What a server listens on and serves. */
export interface PipeServerOptions {
  /** A Unix socket in a folder that no other user can enter, or a named pipe of Windows. */
  path: string;
  maxMessageBytes: number;
  /** Returns what takes the frames of a new connection. */
  accept(link: Link): FrameHandler;
}

/** Starts a server. A socket that a process before it has left is replaced. */
export async function startPipeServer({ path, maxMessageBytes, accept }: PipeServerOptions): Promise<PipeServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let handler: FrameHandler;
    const link = createLink(socket, {
      maxFrameBytes: maxFrameBytesFor(maxMessageBytes),
      onFrame: (kind, call, payload) => handler.onFrame(kind, call, payload),
      onClose() {
        sockets.delete(socket);
        handler.onClose();
      },
    });
    handler = accept(link);
  });
  const isFile = !path.startsWith('\\\\');
  if (isFile) rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, resolve);
  });
  if (isFile) chmodSync(path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
