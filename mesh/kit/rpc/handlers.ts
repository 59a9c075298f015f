import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { CallContext } from './context.ts';

/** The handlers of a service, one for each method of its contract. */
export type ServiceHandlers<Desc extends DescService> = {
  [Name in keyof Desc['method']]: MethodHandler<Desc['method'][Name]>;
};

/**
 * The handler of a method: its request, or a stream of them, and the call in; its response, or a stream of them, out. Messages that a
 * handler has at the same time it may give as a list, which costs less than one after another; a caller sees no difference.
 */
export type MethodHandler<Method extends DescMethod> =
  Method extends DescMethodUnary<infer Input, infer Output>
    ? (request: MessageShape<Input>, context: CallContext) => OrPromise<MessageInitShape<Output>>
    : Method extends DescMethodServerStreaming<infer Input, infer Output>
      ? (request: MessageShape<Input>, context: CallContext) => Responses<Output>
      : Method extends DescMethodClientStreaming<infer Input, infer Output>
        ? (requests: AsyncIterable<MessageShape<Input>>, context: CallContext) => OrPromise<MessageInitShape<Output>>
        : Method extends DescMethodBiDiStreaming<infer Input, infer Output>
          ? (requests: AsyncIterable<MessageShape<Input>>, context: CallContext) => Responses<Output>
          : never;

type OrPromise<T> = T | Promise<T>;

type Responses<Output extends DescMessage> = AsyncIterable<
  MessageInitShape<Output> | readonly MessageInitShape<Output>[]
>;
