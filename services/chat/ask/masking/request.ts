import { clone } from '@bufbuild/protobuf';
import { type AskRequest, AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';

/** Returns a request with the personal data of its caller masked: nothing after this has it in clear. */
export function maskRequest(request: AskRequest, masks: RequestMasks): AskRequest {
  const masked = clone(AskRequestSchema, request);
  masked.question = masks.mask(request.question);
  for (const turn of masked.history) {
    turn.question = masks.mask(turn.question);
    turn.answer = masks.mask(turn.answer);
  }
  return masked;
}

/** Returns passages as a model reads them: with short masks instead of sealed ones. */
export function shortenPassages(passages: Passage[], masks: RequestMasks | undefined): Passage[] {
  return masks === undefined ? passages : rewritten(passages, ({ corpus }) => masks.shortenIn(corpus));
}

/** Returns passages as the cache keeps them, for readers whose rights are checked when they read them. */
export function sealPassages(passages: Passage[], masks: RequestMasks | undefined): Passage[] {
  return masks === undefined ? passages : rewritten(passages, () => masks.seal);
}

/** Rewrites text and title of passages; one without a mask stays the same object. */
export function rewritten(
  passages: readonly Passage[],
  rewriting: (passage: Passage) => (text: string) => string,
): Passage[] {
  return passages.map((passage) => {
    if (!passage.text.includes('[') && !passage.title.includes('[')) return passage;
    const copy = clone(PassageSchema, passage);
    const rewrite = rewriting(passage);
    copy.text = rewrite(passage.text);
    copy.title = rewrite(passage.title);
    return copy;
  });
}
