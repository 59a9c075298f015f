import type {
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

/** The handler of a method: its request, or a stream of them, and the call in; its response, or a stream of them, out. */
export type MethodHandler<Method extends DescMethod> =
  Method extends DescMethodUnary<infer Input, infer Output>
    ? (request: MessageShape<Input>, context: CallContext) => OrPromise<MessageInitShape<Output>>
    : Method extends DescMethodServerStreaming<infer Input, infer Output>
      ? (request: MessageShape<Input>, context: CallContext) => AsyncIterable<MessageInitShape<Output>>
      : Method extends DescMethodClientStreaming<infer Input, infer Output>
        ? (requests: AsyncIterable<MessageShape<Input>>, context: CallContext) => OrPromise<MessageInitShape<Output>>
        : Method extends DescMethodBiDiStreaming<infer Input, infer Output>
          ? (
              requests: AsyncIterable<MessageShape<Input>>,
              context: CallContext,
            ) => AsyncIterable<MessageInitShape<Output>>
          : never;

type OrPromise<T> = T | Promise<T>;
