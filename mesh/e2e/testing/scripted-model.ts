import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a client asks of the model. */
interface Asked {
  stream?: boolean;
  messages: { role: string; content: unknown }[];
  tools?: { function: { name: string } }[];
  response_format?: { type: string };
}

/** A model on loopback that speaks OpenAI's chat completions, and says what its script says. */
export interface ScriptedModel extends AsyncDisposable {
  /** Its `base_url`. */
  url: string;
  /** Bodies of the requests so far. */
  requests: Asked[];
  /** Requests in flight. */
  openCount(): number;
  /**
   * Sets what it answers from now on, whatever it is asked; `undefined`: as by default. `staysOpen`: whether a stream stays open
   * behind it. @default false
   */
  answerWith(text: Answer | undefined, options?: { staysOpen: boolean }): void;
}

/** A text, or what returns the pieces of one for what was asked. */
export type Answer = string | ((said: string) => readonly string[]);

/** Deltas of an answer, and why it ends; `undefined`: it stays open. */
interface Script {
  deltas: object[];
  reason?: string;
}

/** Tokens of each answer unless others are given. */
const fewTokens = { prompt: 11, completion: 5 };

/**
 * Starts the model. It calls the first tool that it is given, with the city of Oslo, repeats the result of a tool, returns JSON if
 * JSON is requested, stays open after its first word to "wait", and closes the connection after it to "hang up". `tokens`: what it says
 * that each answer has used.
 */
export async function startScriptedModel({ tokens = fewTokens } = {}): Promise<ScriptedModel> {
  const { prompt, completion } = tokens;
  const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
  const requests: Asked[] = [];
  let openCount = 0;
  let answer: Answer | undefined;
  let reasonOfAnswer: string | undefined;
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    if (request.method === 'GET') return sendJson(response, { object: 'list', data: [{ id: 'scripted' }] });
    const asked = JSON.parse(text) as Asked;
    requests.push(asked);
    openCount++;
    response.once('close', () => openCount--);
    const label = { id: 'chatcmpl-1', created: 1_767_225_600, model: 'scripted-2026' };
    const said = textOf(asked);
    const { deltas, reason } =
      answer === undefined ? scriptFor(asked) : scriptOf(piecesOf(answer, said), reasonOfAnswer);
    if (asked.stream !== true) {
      const message = Object.assign({ role: 'assistant', content: null }, ...deltas.map(whole));
      const choices = [{ index: 0, message, finish_reason: reason }];
      return sendJson(response, { ...label, object: 'chat.completion', choices, usage });
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (choices: object[], extra: object = {}) =>
      response.write(`data: ${JSON.stringify({ ...label, object: 'chat.completion.chunk', choices, ...extra })}\n\n`);
    send([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]);
    for (const delta of deltas) send([{ index: 0, delta, finish_reason: null }]);
    if (said === 'hang up') return void response.end();
    if (reason === undefined) return;
    send([{ index: 0, delta: {}, finish_reason: reason }]);
    send([], { usage });
    response.end('data: [DONE]\n\n');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    openCount: () => openCount,
    answerWith(text, { staysOpen } = { staysOpen: false }) {
      answer = text;
      reasonOfAnswer = staysOpen ? undefined : 'stop';
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

const scriptOf = (deltas: object[], reason: string | undefined): Script => ({ deltas, ...(reason && { reason }) });

const piecesOf = (answer: Answer, said: string): object[] =>
  (typeof answer === 'string' ? [answer] : answer(said)).map((content) => ({ content }));

function scriptFor(asked: Asked): Script {
  const last = asked.messages.at(-1);
  const said = textOf(asked);
  const [tool] = asked.tools ?? [];
  if (last?.role === 'tool') return { deltas: [{ content: 'The tool says: ' }, { content: said }], reason: 'stop' };
  if (tool !== undefined) {
    const { name } = tool.function;
    const call = (part: object) => ({ tool_calls: [{ index: 0, ...part }] });
    return {
      deltas: [
        call({ id: 'call_1', type: 'function', function: { name, arguments: '' } }),
        call({ function: { arguments: '{"city":' } }),
        call({ function: { arguments: '"Oslo"}' } }),
      ],
      reason: 'tool_calls',
    };
  }
  if (asked.response_format?.type.startsWith('json')) {
    return { deltas: [{ content: '{"city":"Oslo",' }, { content: '"degrees":7}' }], reason: 'stop' };
  }
  if (said === 'wait' || said === 'hang up') return { deltas: [{ content: 'first' }] };
  return { deltas: [{ content: 'You said: ' }, { content: said }], reason: 'stop' };
}

function textOf({ messages }: Asked): string {
  const content = messages.at(-1)?.content;
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? content.map((part: { text?: string }) => part.text ?? '').join('') : '';
}

// A delta as it is in a message: texts and arguments are appended.
function whole(_: object, index: number, deltas: object[]): object {
  if (index !== deltas.length - 1) return {};
  const all = deltas as {
    content?: string;
    tool_calls?: { id?: string; function: { name?: string; arguments: string } }[];
  }[];
  const calls = all.flatMap((delta) => delta.tool_calls ?? []);
  const content = all.map((delta) => delta.content ?? '').join('');
  if (calls.length === 0) return { content };
  const called = {
    name: calls[0]?.function.name,
    arguments: calls.map((call) => call.function.arguments).join(''),
  };
  return { tool_calls: [{ id: calls[0]?.id, type: 'function', function: called }] };
}

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
