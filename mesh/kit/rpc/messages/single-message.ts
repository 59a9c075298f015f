/**
 * A stream of one message that is there already. Transports read it like every stream; one that knows it takes the message
 * itself.
 */
export class SingleMessage<T> implements AsyncIterable<T> {
  readonly message: T;
  constructor(message: T) {
    this.message = message;
  }
  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    yield this.message;
  }
}
