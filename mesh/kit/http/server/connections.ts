import type { Socket } from 'node:net';

/** The open connections of a port. */
export interface Connections {
  /**
   * Takes a connection. If the port is full, a connection without a request makes room: the one that has been idle for longest, of the
   * address that has the most idle ones. Returns false if every connection has a request; the new one is then refused.
   */
  add(socket: Socket): boolean;
  /** Notes that a request of the connection begins. */
  begin(socket: Socket): void;
  /** Notes that a request of the connection has ended. */
  end(socket: Socket): void;
  /** Returns all of them, in the order of their arrival. */
  all(): Iterable<Socket>;
  count(): number;
}

interface Connection {
  readonly address: string;
  requestCount: number;
}

/** Creates the list for at most `max` connections. */
export function createConnections(max: number): Connections {
  const open = new Map<Socket, Connection>();
  // By address, so that a flood from one place pays for itself.
  const idle = new Map<string, Set<Socket>>();

  const setIdle = (socket: Socket, { address }: Connection) => {
    const sockets = idle.get(address);
    if (sockets === undefined) idle.set(address, new Set([socket]));
    else sockets.add(socket);
  };
  const unsetIdle = (socket: Socket, { address }: Connection) => {
    const sockets = idle.get(address);
    sockets?.delete(socket);
    if (sockets?.size === 0) idle.delete(address);
  };
  const remove = (socket: Socket) => {
    const connection = open.get(socket);
    if (connection === undefined) return;
    unsetIdle(socket, connection);
    open.delete(socket);
  };
  const makeRoom = (): boolean => {
    let most: Set<Socket> | undefined;
    for (const sockets of idle.values()) if (sockets.size > (most?.size ?? 0)) most = sockets;
    const [victim] = most ?? [];
    if (victim === undefined) return false;
    remove(victim);
    victim.destroy();
    return true;
  };

  return {
    add(socket) {
      if (open.size >= max && !makeRoom()) return false;
      const connection: Connection = { address: socket.remoteAddress ?? '', requestCount: 0 };
      open.set(socket, connection);
      setIdle(socket, connection);
      socket.once('close', () => remove(socket));
      return true;
    },
    begin(socket) {
      const connection = open.get(socket);
      if (connection !== undefined && connection.requestCount++ === 0) unsetIdle(socket, connection);
    },
    end(socket) {
      const connection = open.get(socket);
      if (connection !== undefined && --connection.requestCount === 0) setIdle(socket, connection);
    },
    all: () => open.keys(),
    count: () => open.size,
  };
}
