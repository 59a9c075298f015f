import type { NodeResponse } from '#kit/http/server/port.ts';
import { isGone } from '#kit/http/server/sender.ts';
import { workFor } from '#kit/http/server/work.ts';
import type { Admission } from '../admission/admission.ts';
import type { HeaderReader } from '../credentials/authenticate.ts';
import { sendJson } from './error.ts';
import { createEventStream, type EventStream } from './event-stream.ts';
import { readJsonBody } from './json-body.ts';
import { type JsonRoute, type JsonRouteDeps, noteFailure } from './json-route.ts';
import { forLargeBodies } from './limits.ts';
import { headersOf } from './request.ts';

/** A request that was read and is allowed: its reply as a whole, or as a stream. */
export interface Asked {
  stream: boolean;
  /** What of the request was passed over. */
  warnings: readonly string[];
  /** Returns the whole reply and its headers. */
  whole(): Promise<{ body: unknown; headers: Record<string, string> }>;
  /** Sends the events of the reply. Throws if it fails or is incomplete. */
  send(stream: EventStream): Promise<void>;
}

/** What a caller sent. */
export interface Sent {
  body: unknown;
  header: HeaderReader;
  admission: Admission;
  /** Aborts when the client leaves. */
  signal: AbortSignal;
}

/** One wire of completions: how it reads requests and writes errors. */
export interface AnswerFace {
  /** The route, for logs. */
  name: string;
  ask(sent: Sent): Promise<Asked>;
  /** Adds headers about an admitted caller to a response that has not begun. @default none */
  admitted?(response: NodeResponse, admission: Admission): void;
  /** Sends an error as a whole reply. */
  sendError(response: NodeResponse, error: unknown): void;
  /** Returns the event of an error inside a stream: its name and its data. */
  errorEvent(error: unknown, response: NodeResponse): readonly [name: string | undefined, data: string];
}

/** Creates the route of a wire whose replies are whole or streamed. A failure before the first event is an HTTP status. */
export function createAnswerRoute(face: AnswerFace, deps: JsonRouteDeps): JsonRoute {
  const { admit, running, limits } = deps;
  const bodyLimits = forLargeBodies(limits);
  return async (request, response) => {
    const { signal, abort } = workFor(response);
    let stream: EventStream | undefined;
    let release: (() => void) | undefined;
    try {
      const header = headersOf(request);
      const admission = await admit(request, signal);
      face.admitted?.(response, admission);
      release = await running.begin(admission.principal);
      const body = await readJsonBody(request, bodyLimits);
      const asked = await face.ask({ body, header, admission, signal });
      const warned = warningHeaders(asked.warnings);
      if (asked.stream) {
        stream = createEventStream(response, limits);
        stream.setHeaders(warned);
        await asked.send(stream);
        await stream.end();
      } else {
        const whole = await asked.whole();
        sendJson(response, 200, whole.body, { ...whole.headers, ...warned });
      }
    } catch (error) {
      abort();
      if (isGone(response)) return;
      noteFailure(deps, face.name, request, error);
      if (stream === undefined || !stream.opened()) return face.sendError(response, error);
      await sendInside(stream, face.errorEvent(error, response));
    } finally {
      release?.();
      stream?.close();
    }
  };
}

async function sendInside(stream: EventStream, [name, data]: readonly [string | undefined, string]): Promise<void> {
  try {
    await stream.event(name, data);
    await stream.end();
  } catch {
    // The client left while the error was sent to it.
  }
}

/** Longest header of warnings, in characters. */
const maxWarningLength = 1_000;

/** Says in a header what was passed over, for clients that read only the members of a body that their wire knows. */
function warningHeaders(warnings: readonly string[]): Record<string, string> {
  if (warnings.length === 0) return {};
  // A header holds no other characters.
  const text = warnings.join('; ').replaceAll(/[^\x20-\x7e]/g, '?');
  return { 'x-ragmesh-warnings': text.slice(0, maxWarningLength) };
}
