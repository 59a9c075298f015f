import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createConnections } from './connections.ts';
import type { HttpLimits } from './limits.ts';
import { portError } from './port-error.ts';

/** A request: over HTTP/2 if it has a stream, else over HTTP/1.1. */
export type NodeRequest = IncomingMessage & { stream?: ServerHttp2Stream; authority?: string };

/** Its response. */
export type NodeResponse = ServerResponse & { stream?: ServerHttp2Stream };

/** An open port. */
export interface HttpPort {
  port: number;
  /** Connections that are open. */
  connectionCount(): number;
  /** Accepts no new connections or requests. Resolves when those in flight have finished, or `signal` has aborted and cut them. */
  drain(signal: AbortSignal): Promise<void>;
  /** Cuts the remaining connections. */
  close(): Promise<void>;
}

/** The address to listen on, and the handler of requests. */
export interface PortOptions {
  /** Name of the server, for errors. */
  name: string;
  /** Configuration key of the port, for errors. */
  setting: string;
  host: string;
  /** 0: any free port. */
  port: number;
  limits: HttpLimits;
  handle(request: NodeRequest, response: NodeResponse): void;
}

/**
 * Listens for HTTP/1.1 and cleartext HTTP/2 on one port. The first bytes of a connection determine its protocol: HTTP/2
 * begins with a fixed preface (RFC 9113, section 3.4).
 */
export async function openPort({ name, setting, host, port, limits, handle }: PortOptions): Promise<HttpPort> {
  const connections = createConnections(limits.maxConnections);
  const sessions = new Set<ServerHttp2Session>();
  const undecided = new Set<Socket>();
  let draining = false;

  const http1 = createHttp1(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(2_000, limits.headersTimeoutMs),
      // The readers of bodies have their own timeouts: an upload may take long, silence may not.
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
    },
    (request, response) => {
      if (draining) response.shouldKeepAlive = false;
      const { socket } = request;
      connections.begin(socket);
      response.once('close', () => {
        connections.end(socket);
        // A response that began before the drain leaves its connection idle when it ends.
        if (draining) http1.closeIdleConnections();
      });
      handle(request, response);
    },
  );

  const http2 = createHttp2(
    {
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        initialWindowSize: limits.streamWindowBytes,
      },
      // Node counts what is queued for a stream, and does not subtract it when the client leaves before it has read all: a connection whose
      // count has reached the limit (10 MB) refuses each new stream with ENHANCE_YOUR_CALM. The count is off; what a connection may hold
      // is bounded by its streams, and by the windows, headers and gathered bytes of each.
      maxSessionMemory: noSessionMemoryLimit,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      // Against floods of streams that are opened and reset (CVE-2023-44487).
      streamResetBurst: limits.streamResetBurst,
      streamResetRate: limits.streamResetsPerSecond,
    },
    // Node's HTTP/2 requests have the interface of HTTP/1.1; only what both have in common is used.
    (request, response) => handle(request as never, response as never),
  );
  const begin = (session: ServerHttp2Session, socket: Socket) => {
    sessions.add(session);
    session.setLocalWindowSize(limits.sessionWindowBytes);
    let openStreams = 0;
    // A connection that only speaks of settings is as silent as one that says nothing.
    const firstRequest = setTimeout(() => session.destroy(), limits.headersTimeoutMs).unref();
    session.once('close', () => {
      clearTimeout(firstRequest);
      sessions.delete(session);
    });
    session.on('stream', (stream) => {
      clearTimeout(firstRequest);
      openStreams++;
      connections.begin(socket);
      stream.once('close', () => {
        openStreams--;
        connections.end(socket);
      });
    });
    session.setTimeout(limits.sessionIdleTimeoutMs, () => openStreams === 0 && session.close());
  };
  // Node makes the session while it takes the connection, so the socket is the one that has just been handed over.
  let handedOver: Socket | undefined;
  http2.on('session', (session) => begin(session, handedOver as Socket));
  // A broken connection ends the session and each of its streams; they report it.
  http2.on('sessionError', () => {});

  // The HTTP/1.1 server listens, so that its own timeouts of slow headers and idle connections run.
  const [toHttp1] = http1.listeners('connection') as ((socket: Socket) => void)[];
  http1.removeAllListeners('connection');
  http1.on('connection', (socket: Socket) => {
    if (!connections.add(socket)) return void socket.destroy();
    undecided.add(socket);
    socket.once('close', () => undecided.delete(socket));
    detectProtocol(socket, limits.headersTimeoutMs, (protocol) => {
      undecided.delete(socket);
      if (protocol === 'http1') return toHttp1?.call(http1, socket);
      // An HTTP/1.1 server lets clients close their half; an HTTP/2 session would never be notified that its client has left.
      socket.allowHalfOpen = false;
      handedOver = socket;
      http2.emit('connection', socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http1.once('error', (error) => reject(portError(name, host, port, error, setting)));
    http1.listen(port, host, resolve);
  });

  const cut = () => {
    for (const session of sessions) session.destroy();
    for (const socket of connections.all()) socket.destroy();
  };
  let closed: Promise<void> | undefined;
  // Resolves when the last connection has gone, of either protocol.
  const stopListening = () => {
    draining = true;
    closed ??= new Promise<void>((resolve) => http1.close(() => resolve())).then(async () => {
      // A socket reports its end a little later than the server that counts it.
      await Promise.all(
        [...connections.all()].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
      );
    });
    return closed;
  };
  return {
    port: (http1.address() as AddressInfo).port,
    connectionCount: connections.count,
    async drain(signal) {
      const emptied = stopListening();
      for (const socket of undecided) socket.destroy();
      // Sends GOAWAY to the client, and closes when the last stream has ended.
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

/** Largest value that Node accepts for a connection's memory, in MB. */
const noSessionMemoryLimit = 2 ** 32 - 1;

const preface = Buffer.from('PRI * HTTP/2.0');

/** Returns the protocol of a connection by its first bytes; `undefined`: they are too few. */
export function protocolOf(head: Uint8Array): 'http1' | 'http2' | undefined {
  const count = Math.min(head.length, preface.length);
  if (preface.compare(head, 0, count, 0, count) !== 0) return 'http1';
  return count === preface.length ? 'http2' : undefined;
}

function detectProtocol(socket: Socket, timeoutMs: number, onDetected: (protocol: 'http1' | 'http2') => void): void {
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
    // The bytes return to the socket, for the server's parser.
    socket.unshift(head);
    onDetected(protocol);
  };
  socket.setTimeout(timeoutMs, giveUp);
  socket.on('readable', look);
  socket.on('end', giveUp);
  socket.on('error', giveUp);
}
