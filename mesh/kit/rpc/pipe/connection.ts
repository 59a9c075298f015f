import { connect } from 'node:net';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '../../base/errors.ts';
import { createLink, type Link } from './link.ts';
import { maxFrameBytesFor } from './wire.ts';

/** What takes the frames of one call. */
export interface CallReceiver {
  onFrame(kind: number, payload: Buffer): void;
  /** The connection has ended before the call. */
  onLost(error: unknown): void;
}

/** A connection to the owner of a group; it is made again whenever it has ended. */
export interface PipeConnection {
  readonly maxMessageBytes: number;
  /** Sends the first frame of a call, and returns its number. Throws UNAVAILABLE if there is no connection or it is far behind. */
  begin(kind: number, payload: Uint8Array, receiver: CallReceiver): number;
  /** Sends another frame of a call. */
  send(kind: number, call: number, payload: Uint8Array): void;
  /** Forgets a call: its later frames are dropped. */
  end(call: number): void;
  /** Resolves when there is a connection. Rejects with the signal's reason if it aborts first. */
  connected(signal: AbortSignal): Promise<void>;
  /** Whether there is a connection now. */
  isConnected(): boolean;
  close(): void;
}

/** Bytes that may wait for the owner; beyond them, new calls are refused. */
const maxWaitingBytes = 64 << 20;
/** Time between two attempts to connect, in milliseconds. */
const reconnectMs = 50;

/** Connects to the owner that listens at `path`. */
export function connectPipe(path: string, maxMessageBytes: number): PipeConnection {
  let link: Link | undefined;
  let isClosed = false;
  let lastCall = 0;
  let timer: NodeJS.Timeout | undefined;
  const receivers = new Map<number, CallReceiver>();
  const waiting = new Set<() => void>();

  const lose = () => {
    link = undefined;
    const lost = [...receivers.values()];
    receivers.clear();
    for (const receiver of lost) receiver.onLost(unavailableOwner('the process that has the records ended'));
    if (!isClosed) timer = setTimeout(open, reconnectMs);
  };
  const open = () => {
    const socket = connect(path);
    const opened = createLink(socket, {
      maxFrameBytes: maxFrameBytesFor(maxMessageBytes),
      onFrame: (kind, call, payload) => receivers.get(call)?.onFrame(kind, payload),
      onClose: lose,
    });
    socket.once('connect', () => {
      if (isClosed) return opened.destroy();
      link = opened;
      for (const resolve of waiting) resolve();
      waiting.clear();
    });
  };
  open();
  return {
    maxMessageBytes,
    begin(kind, payload, receiver) {
      if (link === undefined) throw unavailableOwner('the process that has the records is being started');
      if (link.waitingBytes() > maxWaitingBytes) throw unavailableOwner('the process that has the records is behind');
      // 32 bits; a call of the same number 4 billion calls ago has ended.
      lastCall = (lastCall + 1) >>> 0;
      receivers.set(lastCall, receiver);
      link.send(kind, lastCall, payload);
      return lastCall;
    },
    send(kind, call, payload) {
      if (receivers.has(call)) link?.send(kind, call, payload);
    },
    end: (call) => void receivers.delete(call),
    isConnected: () => link !== undefined,
    connected: (signal) =>
      new Promise((resolve, reject) => {
        if (link !== undefined) return resolve();
        if (signal.aborted) return reject(signal.reason);
        const onAbort = () => {
          waiting.delete(onOpen);
          reject(signal.reason);
        };
        const onOpen = () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        waiting.add(onOpen);
        signal.addEventListener('abort', onAbort, { once: true });
      }),
    close() {
      isClosed = true;
      clearTimeout(timer);
      link?.destroy();
    },
  };
}

function unavailableOwner(message: string) {
  return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, `${message}: try again shortly`, {
    metadata: { dependency: 'owner' },
    retryAfterMs: 500,
  });
}
