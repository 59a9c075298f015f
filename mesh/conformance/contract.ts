import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type DescService,
  type FileRegistry,
  fromBinary,
  type Message,
} from '@bufbuild/protobuf';
import { type Any, anyPack, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { ConnectError } from '@connectrpc/connect';

// The suite's contract, connectrpc.conformance.v1. Its protos belong to the suite, so neither they nor code generated from
// them are kept here: descriptors are read at run time, and these types say what the two programs use of them.

export interface Header {
  name: string;
  value: string[];
}

export interface WireError {
  code: number;
  message?: string;
  details: Any[];
}

export interface UnaryDefinition {
  responseHeaders: Header[];
  responseTrailers: Header[];
  response: { case: 'responseData'; value: Uint8Array } | { case: 'error'; value: WireError } | { case: undefined };
  responseDelayMs: number;
}

export interface StreamDefinition {
  responseHeaders: Header[];
  responseTrailers: Header[];
  responseData: Uint8Array[];
  responseDelayMs: number;
  error?: WireError;
}

export interface UnaryRequest extends Message {
  responseDefinition?: UnaryDefinition;
}

export interface StreamRequest extends Message {
  responseDefinition?: StreamDefinition;
  fullDuplex?: boolean;
}

export interface Payload {
  data?: Uint8Array;
  requestInfo?: RequestInfo;
}

export interface RequestInfo {
  requestHeaders?: Header[];
  timeoutMs?: bigint;
  requests: Any[];
  connectGetInfo?: { queryParams: Header[] };
}

export interface ServerCompatRequest extends Message {
  messageReceiveLimit: number;
}

export interface ClientCompatRequest extends Message {
  testName: string;
  host: string;
  port: number;
  messageReceiveLimit: number;
  compression: number;
  method?: string;
  streamType: number;
  requestHeaders: Header[];
  requestMessages: Any[];
  timeoutMs?: number;
  requestDelayMs: number;
  cancel?: {
    cancelTiming:
      | { case: 'beforeCloseSend' }
      | { case: 'afterCloseSendMs'; value: number }
      | { case: 'afterNumResponses'; value: number }
      | { case: undefined };
  };
}

/** The contract's descriptors. */
export interface Contract {
  registry: FileRegistry;
  service: DescService;
  /** A message by its name in the suite's package. */
  message(name: string): DescMessage;
  /** A method of the service. */
  method(name: string): DescMethod;
}

const packageName = 'connectrpc.conformance.v1';

/** Reads the contract from a file that `buf build` wrote. */
export function loadContract(imagePath: string): Contract {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(imagePath)));
  const service = registry.getService(`${packageName}.ConformanceService`);
  if (service === undefined) throw new Error(`${imagePath} does not hold the conformance service`);
  return {
    registry,
    service,
    message(name) {
      const desc = registry.getMessage(`${packageName}.${name}`);
      if (desc === undefined) throw new Error(`the suite has no message ${name}`);
      return desc;
    },
    method(name) {
      const desc = service.methods.find((method) => method.name === name);
      if (desc === undefined) throw new Error(`the suite has no method ${name}`);
      return desc;
    },
  };
}

/** Headers as the suite writes them. */
export function headersToWire(headers: Headers): Header[] {
  return [...headers].map(([name, value]) => ({ name, value: [value] }));
}

/** Adds headers of the suite. */
export function addHeaders(from: readonly Header[], to: Headers): void {
  for (const { name, value } of from) for (const one of value) to.append(name, one);
}

/** Returns an error that the suite requests, with one more detail if given. */
export function wireToError(error: WireError, detail?: { desc: DescMessage; message: Message }): ConnectError {
  const thrown = new ConnectError(error.message ?? '', error.code);
  const details = detail === undefined ? error.details : [...error.details, anyPack(detail.desc, detail.message)];
  thrown.details = details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1), value }));
  return thrown;
}

/** An error that came from a server, as the suite writes it. */
export function errorToWire(error: ConnectError): WireError {
  const details = error.details.flatMap((detail) =>
    'type' in detail ? [{ typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }] : [],
  );
  return { code: error.code, message: error.rawMessage, details: details as Any[] };
}
