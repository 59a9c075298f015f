import type { Message } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { isInternalUrl } from '#kit/http/guard/addresses.ts';

/**
 * Throws INVALID_ARGUMENT if an image has the address of an internal host: the provider would fetch it, and one in the own network reaches
 * what its callers must not.
 */
export function checkImages(messages: readonly Pick<Message, 'images'>[]): void {
  for (const { images } of messages) {
    for (const { source } of images) {
      if (source.case !== 'url' || !isInternalUrl(source.value)) continue;
      throw invalidArgument('messages.images.url: must be on the public internet: send the bytes of the image');
    }
  }
}
