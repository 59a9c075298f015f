import { deserialize, serialize } from 'node:v8';
import { deadlineExceeded, toRpcError } from '../../base/errors.ts';
import type { PipeConnection } from './connection.ts';
import type { Link } from './link.ts';
import type { FrameHandler } from './mount.ts';
import { decodeFailure, encodeFailure, FrameKind } from './wire.ts';

// Calls of plain functions between the processes of a group, for state of a service that all of them share. Such a call has no
// contract, identity or policy: both ends are the same service.

/** A port as one process uses it. */
export interface ConnectedPort<Port> {
  /** Its methods return promises; arguments and results are what `structuredClone` can carry. */
  readonly port: Port;
  /** The process has left: what it held is released. */
  close(): void;
}

/** Ports by name; each connection gets one of its own. */
export type Ports = ReadonlyMap<string, () => ConnectedPort<object>>;

/** Longest wait for a result, in milliseconds. */
const timeoutMs = 10_000;

type AnyPort = Record<string, ((...args: unknown[]) => Promise<unknown>) | undefined>;

/** Serves ports to the other processes of a group. `onBug` receives errors of methods that are not meant for a caller. */
export function servePorts(ports: Ports, onBug: (error: unknown) => void): (link: Link) => FrameHandler {
  return (link) => {
    const connected = new Map<string, ConnectedPort<object>>();
    const portOf = (name: string): AnyPort => {
      let found = connected.get(name);
      if (found === undefined) {
        const connect = ports.get(name);
        if (connect === undefined) throw new Error(`no port ${name}`);
        found = connect();
        connected.set(name, found);
      }
      return found.port as AnyPort;
    };
    const answer = async (call: number, payload: Buffer) => {
      try {
        const [name, method, args] = deserialize(payload) as [string, string, unknown[]];
        const port = portOf(name);
        const work = port[method];
        if (work === undefined) throw new Error(`port ${name} has no method ${method}`);
        link.send(FrameKind.PORT_RESULT, call, serialize(await work.apply(port, args)));
      } catch (thrown) {
        const error = toRpcError(thrown);
        if (error !== thrown) onBug(thrown);
        link.send(FrameKind.PORT_ERROR, call, encodeFailure(error, undefined, undefined));
      }
    };
    return {
      onFrame: (_kind, call, payload) => void answer(call, payload),
      onClose() {
        for (const port of connected.values()) port.close();
        connected.clear();
      },
    };
  };
}

/**
 * Returns a port of the owner: each method is a call over the connection. Calls reject UNAVAILABLE while the owner is away. A signal as the
 * last argument ends the wait, and stays here.
 */
export function remotePort<Port extends object>(connection: PipeConnection, name: string): Port {
  const methods = new Map<string | symbol, unknown>();
  const bind =
    (method: string) =>
    async (...args: unknown[]): Promise<unknown> => {
      const last = args.at(-1);
      const signal = last instanceof AbortSignal ? last : undefined;
      const sent = signal === undefined ? args : args.slice(0, -1);
      return call(connection, serialize([name, method, sent]), signal);
    };
  return new Proxy({} as Port, {
    get(_, key) {
      // An object with `then` would be awaited like a promise.
      if (typeof key !== 'string' || key === 'then') return undefined;
      if (!methods.has(key)) methods.set(key, bind(key));
      return methods.get(key);
    },
  });
}

function call(connection: PipeConnection, payload: Uint8Array, signal: AbortSignal | undefined): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      connection.end(id);
    };
    const fail = (error: unknown) => {
      end();
      reject(error);
    };
    const onAbort = () => fail(signal?.reason);
    const id = connection.begin(FrameKind.PORT_CALL, payload, {
      onFrame(kind, result) {
        end();
        if (kind === FrameKind.PORT_RESULT) resolve(deserialize(result));
        else reject(decodeFailure(result));
      },
      onLost: fail,
    });
    const timer = setTimeout(() => fail(deadlineExceeded(`no result within ${timeoutMs} ms`)), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
