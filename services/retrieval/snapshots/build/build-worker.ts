import { serveCalls, yieldToOthers } from '#kit/base/worker-rpc.ts';
import { addSegment } from './add.ts';
import { openReading, type Reading } from './load.ts';
import { mergeSegments } from './merge.ts';
import type { BuildReply, BuildRequest } from './protocol.ts';

// The worker thread that builds segments, so that neither the service nor a search waits for it.

let reading: Reading | undefined;

yieldToOthers();
serveCalls(handle, ({ sources }) => (sources === undefined ? [] : [sources.segments.buffer, sources.positions.buffer]));

function handle(request: BuildRequest): BuildReply {
  switch (request.kind) {
    case 'begin':
      reading?.close();
      reading = undefined;
      reading = openReading(request.source);
      return {};
    case 'load': {
      if (reading === undefined) throw new Error('no database was opened: this thread is a new one');
      const opened = reading;
      reading = undefined;
      try {
        return { segment: opened.load(request.maxBytes) };
      } finally {
        opened.close();
      }
    }
    case 'add':
      return { segment: addSegment(request.rows, request.version, request.dimensions) };
    case 'merge':
      return mergeSegments(request.segments);
    default:
      return request satisfies never;
  }
}
