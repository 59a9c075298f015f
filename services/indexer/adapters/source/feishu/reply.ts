import { z } from 'zod';
import { HttpFailure } from '#kit/http/failure.ts';
import { readReply } from '../../../sources/json-api.ts';

/** What a code of a reply means (open.feishu.cn, error codes): too many requests, and things that are not there. */
const codes = { busy: new Set([99991400]), gone: new Set([131005, 1770002, 1770003]) };

/** Returns the data of a reply; `undefined` if the thing is not there. Failures are replies with a code, often with status 200. */
export function dataOf(reply: unknown, part: 'data' | 'whole' = 'data'): unknown {
  if (reply === undefined) return undefined;
  const { code, data } = readReply('feishu', z.looseObject({ code: z.number(), data: z.unknown().optional() }), reply);
  if (codes.gone.has(code)) return undefined;
  if (codes.busy.has(code)) throw new HttpFailure(429, undefined, new Headers());
  if (code !== 0) throw new HttpFailure(403, { code: `code_${code}` }, new Headers());
  return part === 'whole' ? reply : (data ?? {});
}
