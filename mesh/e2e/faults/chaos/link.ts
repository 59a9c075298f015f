import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a link does to a dependency. */
export const faults = ['slow', 'dead', 'hung', 'lying', 'flapping', 'full'] as const;
export type Fault = (typeof faults)[number];

/** A TCP port of loopback in front of a dependency, which can fail in each way that a network and a process can. */
export interface Link extends AsyncDisposable {
  readonly port: number;
  /** Begins a fault, and ends the one before; `undefined`: none. */
  set(fault: Fault | undefined): void;
  /** Connections that were accepted so far. */
  connectionCount(): number;
}

/** The dependency behind a link. */
export interface LinkOptions {
  port: number;
  /** Port of the same dependency when it is full; without one, "full" is done elsewhere and the link is sound. */
  fullPort?: number;
}

/** Delay of each piece that a slow dependency sends, in milliseconds: less than every time limit of a stage. */
export const slowMs = 40;
/** Time for which a flapping dependency is there, and then away, in milliseconds. */
export const flapMs = 250;

/**
 * Starts a link. `slow`: each piece of a reply is late. `dead`: connections end, and new ones are refused. `hung`: connections stay and are
 * accepted, and nothing passes. `lying`: bytes of replies are changed. `flapping`: dead and sound in turns. `full`: new connections reach a
 * dependency that takes no more.
 */
export async function startLink({ port: soundPort, fullPort }: LinkOptions): Promise<Link> {
  const sockets = new Set<Socket>();
  let fault: Fault | undefined;
  let isAway = false;
  let accepted = 0;
  let flaps: NodeJS.Timeout | undefined;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const server: Server = createServer((caller) => {
    accepted++;
    keep(caller);
    if (isAway) return caller.destroy();
    const target = connect(fault === 'full' && fullPort !== undefined ? fullPort : soundPort, '127.0.0.1');
    keep(target);
    target.once('close', () => caller.destroy());
    caller.once('close', () => target.destroy());
    caller.on('data', (bytes) => {
      if (fault !== 'hung') target.write(bytes);
    });
    target.on('data', (bytes) => {
      if (fault === 'hung') return;
      if (fault === 'lying') return caller.write(changed(bytes));
      if (fault !== 'slow') return caller.write(bytes);
      setTimeout(() => caller.write(bytes), slowMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    connectionCount: () => accepted,
    set(next) {
      clearInterval(flaps);
      // What was lost in a connection does not come later: a connection with a gap ends.
      if (fault === 'hung' || fault === 'lying' || fault === 'full' || next === 'full') cut();
      fault = next;
      isAway = next === 'dead' || next === 'flapping';
      if (isAway) cut();
      if (next !== 'flapping') return;
      flaps = setInterval(() => {
        isAway = !isAway;
        if (isAway) cut();
      }, flapMs);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(flaps);
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Returns the bytes with every eighth one changed. */
function changed(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => (index % 8 === 3 ? byte ^ 0x55 : byte)));
}
