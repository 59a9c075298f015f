import type { ChildProcess } from 'node:child_process';

/** A connection as node:cluster passes it to a worker. */
interface Handle {
  close(): void;
}

/** What node:cluster sends to a worker, and gets back: `seq` of a message is `ack` of its reply. */
interface ClusterMessage {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: unknown;
  readonly ack?: unknown;
}

/**
 * Closes the connections that a worker was given and did not take before it ended. node:cluster keeps them open, and their clients would
 * wait for an answer until their own deadlines; a closed connection is tried again immediately.
 */
export function closeLostConnections(worker: ChildProcess): void {
  const given = new Map<unknown, Handle>();
  const send = worker.send.bind(worker) as (...args: unknown[]) => boolean;
  worker.send = (...args: unknown[]) => {
    const [message, handle] = args as [ClusterMessage, Handle | undefined];
    if (message.cmd === 'NODE_CLUSTER' && message.act === 'newconn' && handle !== undefined)
      given.set(message.seq, handle);
    return send(...args);
  };
  worker.on('internalMessage', (message: ClusterMessage) => void given.delete(message.ack));
  worker.once('exit', () => {
    for (const handle of given.values()) handle.close();
    given.clear();
  });
}
