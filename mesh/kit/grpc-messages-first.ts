import { createRequire } from 'node:module';
import type { StatusObject } from '@grpc/grpc-js';

// A server's error status that waits for the messages before it, inside a status that looks like success.
type HeldStatus = Partial<StatusObject> & { held?: StatusObject };

interface SubchannelCall {
  finalStatus: HeldStatus | null;
  readsTrailers?: boolean;
  handleTrailers(headers: object): void;
  endCall(status: HeldStatus): void;
  outputStatus(): void;
}

let done = false;

/**
 * Makes grpc-js deliver every message of a stream before the error that ended it, as gRPC and the local mount do. By itself
 * it drops what was received and not yet consumed as soon as an error status comes
 * (https://github.com/grpc/grpc-node/issues/2764): a slow consumer would lose the last part of an answer. It does keep the
 * order where the status is OK, so an error in trailers passes as OK until the messages are through. Once a process; a part
 * of grpc-js that does not follow semver, so a new version of it needs a look here.
 */
export function deliverMessagesFirst(): void {
  if (done) return;
  done = true;
  const module = createRequire(import.meta.url)('@grpc/grpc-js/build/src/subchannel-call');
  const call = module.Http2SubchannelCall.prototype as SubchannelCall;
  const { handleTrailers, endCall, outputStatus } = call;
  call.handleTrailers = function (headers) {
    this.readsTrailers = true;
    handleTrailers.call(this, headers);
    this.readsTrailers = false;
  };
  call.endCall = function (status) {
    const held = this.finalStatus?.held;
    // Given up while the status waits, because the consumer or the connection went away: what the server said stands.
    if (held !== undefined) endCall.call(this, held);
    else if (this.readsTrailers === true && status.code !== 0)
      endCall.call(this, { code: 0, held: status as StatusObject });
    else endCall.call(this, status);
  };
  call.outputStatus = function () {
    this.finalStatus = this.finalStatus?.held ?? this.finalStatus;
    outputStatus.call(this);
  };
}
