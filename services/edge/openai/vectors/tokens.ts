import { badField } from '../../http/parse-fields.ts';

/** Returns the text of ids of tokens. */
type Decode = (ids: readonly number[]) => string;

let decoder: Promise<Decode> | undefined;

/** The largest id of cl100k_base that is a part of a text. */
const maxTokenId = 100_255;

/**
 * Returns the texts of lists of token ids, as LangChain sends them: in cl100k_base, its choice for every model that it does not know. Throws
 * INVALID_ARGUMENT if the optional package with that vocabulary is not installed, or an id is not in it.
 */
export async function textsOfTokens(lists: readonly (readonly number[])[]): Promise<string[]> {
  decoder ??= load();
  const decode = await decoder;
  return lists.map((ids, index) => {
    if (ids.some((id) => id > maxTokenId))
      throw badField(`input[${index}]`, 'has an id that is no token of cl100k_base');
    return decode(ids);
  });
}

async function load(): Promise<Decode> {
  try {
    // 2 MB of code and some 20 MB of memory: only for callers that send ids.
    const { decode } = await import('gpt-tokenizer/encoding/cl100k_base');
    return (ids) => decode([...ids]);
  } catch (cause) {
    decoder = undefined;
    const why =
      'holds ids of tokens: send the texts themselves (in LangChain, check_embedding_ctx_length=False), or let the operator install the package gpt-tokenizer';
    throw Object.assign(badField('input', why), { cause });
  }
}
