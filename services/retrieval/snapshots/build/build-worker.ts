import { serveCalls, yieldToOthers } from '#kit/base/worker-rpc.ts';
import { beginImage, endImage } from '../images/image-file.ts';
import { imagePath, makeRoomForImage, removeImages } from '../images/image-name.ts';
import { segmentBytes } from '../segment.ts';
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
        return { loaded: opened.load(request.maxBytes) };
      } finally {
        opened.close();
      }
    }
    case 'add':
      return { segment: addSegment(request.rows, request.version, request.dimensions) };
    case 'merge':
      return mergeSegments(request.segments);
    case 'begin-image': {
      const { source, imageId, segments, maxBytes } = request;
      makeRoomForImage(
        source,
        segments.reduce((sum, segment) => sum + segmentBytes(segment), 0),
        maxBytes,
      );
      return { parts: beginImage(imagePath(source, imageId), segments) };
    }
    case 'end-image': {
      const { source, imageId, parts, segments } = request;
      endImage(imagePath(source, imageId), imageId, parts, segments);
      return {};
    }
    case 'remove-images':
      removeImages(request.of, request.except);
      return {};
    default:
      return request satisfies never;
  }
}
