import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type CallOptions, type Client, Code } from '@connectrpc/connect';
import { type AskResponse, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerDoneSchema, AnswerOutcome, type Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  type GenerateRequestSchema,
  type LLMGatewayService,
  MessageRole,
  MidStreamPolicy,
  Outcome,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { rpcError, tooLarge } from '#kit/base/errors.ts';
import { badField } from '../../../http/parse-fields.ts';
import { fill, plainObject, type WholeAnswer } from './fill.ts';
import { type OutputSchema, readSchema } from './schema.ts';

/** JSON that a caller wants instead of text; `undefined` schema: any object. */
export interface JsonOutput {
  schema: OutputSchema | undefined;
  /** Path of the schema in the request. */
  path: string;
}

/** A format of the request: OpenAI's `response_format`, or `text.format` of the Responses API. */
export type SentFormat = { type: 'text' } | { type: 'json_object' } | { type: 'json_schema'; schema: string };

/** Returns the JSON that a request wants; `undefined`: text. Throws INVALID_ARGUMENT for a schema that is none. */
export function readOutput(format: SentFormat | undefined, path: string): JsonOutput | undefined {
  if (format === undefined || format.type === 'text') return undefined;
  return { schema: format.type === 'json_schema' ? readSchema(format.schema, path) : undefined, path };
}

/** How a schema is filled that needs more than the answer: a model writes it from the answer. */
export interface Writer {
  llm: Pick<Client<typeof LLMGatewayService>, 'generate'>;
  /** Its name in the gateway. */
  model: string;
  requestId: string;
  limitKey: string;
  options: CallOptions;
}

/** Returns the model that writes for the caller; `undefined`: there is none. */
export type FindWriter = () => Promise<Writer | undefined>;

/**
 * Checks before anything is asked that a schema can be filled: by the answer itself, or by a model that the caller may use and that
 * writes. Throws INVALID_ARGUMENT with its path.
 */
export async function requireFillable({ schema, path }: JsonOutput, writer: FindWriter): Promise<void> {
  if (schema === undefined || fill(schema.root, sample) !== undefined) return;
  if ((await writer()) !== undefined) return;
  throw badField(
    path,
    'needs more than an answer has (answer, citations, verified, answered, outcome): name a model that writes ("ragmesh/<model>", role "model_user"), or send response_format {"type": "json_object"}',
  );
}

const sample: WholeAnswer = {
  text: 'x',
  citations: [],
  done: create(AnswerDoneSchema, { outcome: AnswerOutcome.ANSWERED }),
};

/** Longest answer, in UTF-16 code units. */
const maxLength = 1 << 20;

/**
 * Returns the events of an answer with JSON as its text, in one piece at its end. Throws UNAVAILABLE if the model's JSON does not fit the
 * schema: what does not fit is never sent.
 */
export async function* asJson(
  events: AsyncIterable<AskResponse>,
  { schema, path }: JsonOutput,
  writer: FindWriter,
): AsyncGenerator<AskResponse> {
  let text = '';
  let citations: Citation[] = [];
  const held: AskResponse[] = [];
  for await (const response of events) {
    const { event } = response;
    if (event.case === 'textDelta') text += event.value.text;
    else if (event.case === 'reset') [text, citations] = ['', []];
    else if (event.case === 'citation') citations.push(event.value);
    else if (event.case === 'done') {
      const answer = { text, citations, done: event.value };
      // An answer that is cut or refused by a filter ends as without JSON.
      const isWhole = event.value.outcome !== AnswerOutcome.TRUNCATED && event.value.outcome !== AnswerOutcome.FILTERED;
      if (isWhole) yield textOf(JSON.stringify(await toValue(answer, schema, path, writer)));
      for (const citation of citations)
        yield create(AskResponseSchema, { event: { case: 'citation', value: citation } });
      yield* held;
      yield response;
    } else if (event.case === 'started') yield response;
    else if (event.case === 'usage' || event.case === 'toolCall') held.push(response);
    if (text.length > maxLength || held.length > 1_000) throw tooLarge('the answer', maxLength);
  }
}

function textOf(text: string): AskResponse {
  return create(AskResponseSchema, { event: { case: 'textDelta', value: { text } } });
}

async function toValue(
  answer: WholeAnswer,
  schema: OutputSchema | undefined,
  path: string,
  findWriter: FindWriter,
): Promise<unknown> {
  if (schema === undefined) return plainObject(answer);
  const filled = fill(schema.root, answer);
  if (filled !== undefined && schema.fits(filled)) return filled;
  const writer = await findWriter();
  if (writer === undefined) throw badField(path, 'does not fit the answer that the documents give');
  const written = await write(answer, schema, writer);
  const value = parse(written);
  if (value !== undefined && schema.fits(value)) return value;
  throw rpcError(
    Code.Unavailable,
    ErrorReason.DEPENDENCY_UNAVAILABLE,
    'the model wrote JSON that does not fit the schema: ask again, or name another model',
    { metadata: { dependency: 'model' } },
  );
}

const instructions =
  'You fill a JSON Schema from an answer. Use only what the answer and its sources say; use null or an empty value for what they do not say, if the schema allows it. Write the JSON value alone.';

async function write(answer: WholeAnswer, schema: OutputSchema, writer: Writer): Promise<string> {
  const { llm, model, requestId, limitKey, options } = writer;
  const request: MessageInitShape<typeof GenerateRequestSchema> = {
    ...{ model, requestId, limitKey, temperature: 0, midStreamPolicy: MidStreamPolicy.HOLD_BACK },
    messages: [
      { role: MessageRole.SYSTEM, text: instructions },
      {
        role: MessageRole.USER,
        text: `JSON Schema:\n${schema.json}\n\nAnswer, as JSON:\n${JSON.stringify(plainObject(answer))}`,
      },
    ],
    responseFormat: {
      form: { case: 'jsonSchema', value: { name: 'answer', schemaJson: schema.json, strict: false, description: '' } },
    },
  };
  let text = '';
  let outcome: Outcome = Outcome.UNSPECIFIED;
  for await (const { event } of llm.generate(request, options)) {
    if (event.case === 'textDelta') text += event.value.text;
    else if (event.case === 'reset') text = '';
    else if (event.case === 'done') outcome = event.value.outcome;
    if (text.length > maxLength) throw tooLarge('the JSON of the model', maxLength);
  }
  return outcome === Outcome.COMPLETE ? text : '';
}

/** Models without a constraint write a fence around their JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text.trim().replace(/^```(?:json)?\s*|\s*```$/g, ''));
  } catch {
    return undefined;
  }
}
