import type { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { PageWish, RenderedPage } from '../../parse/page-image.ts';
import type { Parsed, SourceFile } from '../../parse/parser.ts';

// Messages between the thread that prepares an upload and the process that parses a file. Each waits for the other's answer, so neither side
// can be flooded.

/** To the child: a file to parse, or a page of it to render; the bytes that it asked for, `undefined` at their end; or a call to continue after a result. */
export type ToChild =
  | { kind: 'parse'; parser: string; file: SourceFile }
  | { kind: 'render'; parser: string; wish: PageWish }
  | { kind: 'bytes'; bytes: Uint8Array | undefined }
  | { kind: 'continue' };

/** From the child: a request for bytes, a result, or the end of the file with the memory that the child then holds. */
export type FromChild =
  | { kind: 'read' }
  | { kind: 'parsed'; parsed: Parsed }
  | { kind: 'rendered'; page: RenderedPage }
  | { kind: 'done'; rssBytes: number }
  | { kind: 'unreadable'; reason: ErrorReason; message: string; line: number; rssBytes: number }
  | { kind: 'failed'; name: string; rssBytes: number };
