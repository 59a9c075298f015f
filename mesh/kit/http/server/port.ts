import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { portError } from '../../base/port-error.ts';
import type { HttpLimits } from './limits.ts';

/** A request, over HTTP/1.1 or, where it has a stream, over HTTP/2. */
export type NodeRequest = IncomingMessage & { stream?: ServerHttp2Stream; authority?: string };

/** Its response. */
export type NodeResponse = ServerResponse & { stream?: ServerHttp2Stream };

/** An open port. */
export interface HttpPort {
  port: number;
  /** Connections that are open. */
  connectionCount(): number;
  /**
   * Takes no new connections or requests, and resolves when those under way have finished, or are cut because `signal`
   * aborts.
   */
  drain(signal: AbortSignal): Promise<void>;
  /** Cuts what is left. */
  close(): Promise<void>;
}

/** Where to listen, and the handler of requests. */
export interface PortOptions {
  /** Name of the server, for errors. */
  name: string;
  /** Configuration key of the port, for errors. */
  setting: string;
  host: string;
  /** 0: any free one. */
  port: number;
  limits: HttpLimits;
  handle(request: NodeRequest, response: NodeResponse): void;
}

/**
 * Listens for HTTP/1.1 and cleartext HTTP/2 on one port. The first bytes of a connection tell which it speaks: HTTP/2
 * begins with a fixed preface (RFC 9113, section 3.4).
 */
export async function openPort({ name, setting, host, port, limits, handle }: PortOptions): Promise<HttpPort> {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const undecided = new Set<Socket>();
  let draining = false;

  const http1 = createHttp1(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(2_000, limits.headersTimeoutMs),
      // Bodies have their own timeouts where they are read: an upload may take long, silence may not.
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
    },
    (request, response) => {
      if (draining) response.shouldKeepAlive = false;
      // A response that began before the drain leaves its connection idle when it ends.
      response.once('close', () => draining && http1.closeIdleConnections());
      handle(request, response);
    },
  );
  http1.maxConnections = limits.maxConnections;

  const http2 = createHttp2(
    {
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        initialWindowSize: limits.streamWindowBytes,
      },
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      // Against floods of streams that are opened and reset (CVE-2023-44487).
      streamResetBurst: limits.streamResetBurst,
      streamResetRate: limits.streamResetsPerSecond,
    },
    // Node gives HTTP/2 the face of HTTP/1.1; what the two have in common is all that is used.
    (request, response) => handle(request as never, response as never),
  );
  http2.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(limits.sessionWindowBytes);
    session.once('close', () => sessions.delete(session));
    let openStreams = 0;
    session.on('stream', (stream) => {
      openStreams++;
      stream.once('close', () => openStreams--);
    });
    session.setTimeout(limits.sessionIdleTimeoutMs, () => openStreams === 0 && session.close());
  });
  // Broken connections are the client's affair: Node ends the session, and each of its streams hears of it.
  http2.on('sessionError', () => {});

  // The HTTP/1.1 server does the listening, so that its own watch over slow headers and idle connections runs.
  const [toHttp1] = http1.listeners('connection') as ((socket: Socket) => void)[];
  http1.removeAllListeners('connection');
  http1.on('connection', (socket: Socket) => {
    sockets.add(socket);
    undecided.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      undecided.delete(socket);
    });
    tellProtocol(socket, limits.headersTimeoutMs, (protocol) => {
      undecided.delete(socket);
      if (protocol === 'http1') return toHttp1?.call(http1, socket);
      // An HTTP/1.1 server lets clients close their half; an HTTP/2 session would never hear that its client has left.
      socket.allowHalfOpen = false;
      http2.emit('connection', socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http1.once('error', (error) => reject(portError(name, host, port, error, setting)));
    http1.listen(port, host, resolve);
  });

  const cut = () => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  };
  let closed: Promise<void> | undefined;
  // Resolves when the last connection has gone, of either protocol.
  const stopListening = () => {
    draining = true;
    closed ??= new Promise<void>((resolve) => http1.close(() => resolve()));
    return closed;
  };
  return {
    port: (http1.address() as AddressInfo).port,
    connectionCount: () => sockets.size,
    async drain(signal) {
      const emptied = stopListening();
      for (const socket of undecided) socket.destroy();
      // Tells the client by GOAWAY, and closes when the last stream has ended.
      for (const session of sessions) session.close();
      signal.addEventListener('abort', cut, { once: true });
      if (signal.aborted) cut();
      await emptied;
      signal.removeEventListener('abort', cut);
    },
    async close() {
      const emptied = stopListening();
      cut();
      await emptied;
      http2.close();
    },
  };
}

const preface = Buffer.from('PRI * HTTP/2.0');

/** Which protocol a connection speaks, by its first bytes; `undefined` where they are too few to tell. */
export function protocolOf(head: Uint8Array): 'http1' | 'http2' | undefined {
  const count = Math.min(head.length, preface.length);
  if (preface.compare(head, 0, count, 0, count) !== 0) return 'http1';
  return count === preface.length ? 'http2' : undefined;
}

function tellProtocol(socket: Socket, timeoutMs: number, tell: (protocol: 'http1' | 'http2') => void): void {
  const giveUp = () => socket.destroy();
  let head: Buffer = Buffer.alloc(0);
  const look = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const protocol = protocolOf(head);
    if (protocol === undefined) return;
    socket.off('readable', look);
    socket.off('end', giveUp);
    socket.off('error', giveUp);
    socket.setTimeout(0);
    socket.off('timeout', giveUp);
    // The bytes go back where the server's parser will find them.
    socket.unshift(head);
    tell(protocol);
  };
  socket.setTimeout(timeoutMs, giveUp);
  socket.on('readable', look);
  socket.on('end', giveUp);
  socket.on('error', giveUp);
}
