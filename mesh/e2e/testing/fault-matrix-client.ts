/** Whether a completion is asked for in pieces or in one. */
export type Mode = 'stream' | 'unary';
/** What a caller of OpenAI's wire can choose for a provider that ends early. */
export type Policy = 'fail' | 'hold-back';

/** A completion to ask for. */
export interface Asked {
  key: string;
  model: string;
  prompt: string;
  mode: Mode;
  policy: Policy;
}

/** What a caller has in the end, in whichever mode. */
export interface Completion {
  status: number;
  text: string;
  finishReason: string | undefined;
  /** In the body, or inside a stream as its last event. */
  error: { type: string; code: string } | undefined;
  retryAfterSeconds: number | undefined;
  /** Whether `[DONE]` came, as the last of a stream. */
  isDone: boolean;
}

/** What the face uses if a caller sets nothing. */
const defaults: Record<Mode, Policy> = { stream: 'fail', unary: 'hold-back' };

/** Asks a mesh for completions, as a plain HTTP client does. A policy that is the mode's default is left out, which proves that it is. */
export function completionsAt(edgeUrl: string) {
  return ({ key, model, prompt, mode, policy }: Asked): Promise<Response> =>
    fetch(`${edgeUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({
        model,
        messages: [{ role: 'user', content: prompt }],
        stream: mode === 'stream',
        ...(policy === defaults[mode] ? {} : { mid_stream_policy: policy }),
      }),
    });
}

interface Choice {
  delta?: { content?: string };
  message?: { content: string | null };
  finish_reason: string | null;
}
interface Body {
  choices?: Choice[];
  error?: { message: string; type: string; param: string | null; code: string | null };
}

/** Reads a reply to its end. Throws if it does not follow OpenAI's wire. */
export async function readCompletion(response: Response): Promise<Completion> {
  const { status, headers } = response;
  const wait = headers.get('retry-after');
  const reply = { status, retryAfterSeconds: wait === null ? undefined : Number(wait) };
  const text = await response.text();
  if (headers.get('content-type')?.startsWith('text/event-stream')) return { ...reply, ...readStream(text) };
  const { choices = [], error } = JSON.parse(text) as Body;
  if ((error === undefined) !== (status === 200) || choices.length !== (error === undefined ? 1 : 0)) {
    throw new Error(`a body that is neither a completion nor an error: ${status} ${text}`);
  }
  const [choice] = choices;
  return {
    ...reply,
    text: choice?.message?.content ?? '',
    finishReason: choice?.finish_reason ?? undefined,
    error: error && toError(error),
    isDone: false,
  };
}

function readStream(sent: string): Pick<Completion, 'text' | 'finishReason' | 'error' | 'isDone'> {
  const events = sent.split('\n\n').filter((event) => event !== '' && !event.startsWith(':'));
  let text = '';
  let finishReason: string | undefined;
  let error: Completion['error'];
  for (const [index, event] of events.entries()) {
    if (!event.startsWith('data: ')) throw new Error(`no event of OpenAI's wire: ${event}`);
    const data = event.slice('data: '.length);
    const isLast = index === events.length - 1;
    if (data === '[DONE]') {
      if (isLast) return { text, finishReason, error, isDone: true };
      throw new Error('something comes after the end');
    }
    const body = JSON.parse(data) as Body;
    if (body.error !== undefined) {
      if (!isLast) throw new Error('something comes after an error');
      error = toError(body.error);
    }
    for (const choice of body.choices ?? []) {
      text += choice.delta?.content ?? '';
      finishReason ??= choice.finish_reason ?? undefined;
    }
  }
  return { text, finishReason, error, isDone: false };
}

function toError({ message, type, param, code }: NonNullable<Body['error']>): { type: string; code: string } {
  if (message === '' || param !== null || code === null) throw new Error(`an error that says too little: ${message}`);
  return { type, code };
}
