import type { AnswerDone, Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { AnswerOutcome, AnswerOutcomeSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { citationToJson } from '../../../sse/answer-json.ts';
import { isNode, type SchemaNode } from './schema.ts';

/** A whole answer. */
export interface WholeAnswer {
  text: string;
  citations: readonly Citation[];
  done: AnswerDone;
}

/** Returns an answer as an object: {answer, citations, outcome, verified}. */
export function plainObject(answer: WholeAnswer): Record<string, unknown> {
  const { text, citations, done } = answer;
  return { answer: text, citations: citations.map(citationToJson), outcome: outcomeOf(done), verified: done.verified };
}

/**
 * Returns a value of a schema from what is known of an answer; `undefined`: the schema needs something else. Only properties whose name says
 * what they are have a value: nothing is guessed.
 */
export function fill(schema: SchemaNode, answer: WholeAnswer): Record<string, unknown> | undefined {
  if (!allows(schema, 'object')) return undefined;
  const properties = isNode(schema.properties) ? schema.properties : undefined;
  if (properties === undefined) return requiredOf(schema).length === 0 ? plainObject(answer) : undefined;
  const values: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const value = isNode(property) ? knownValue(name, property, answer) : undefined;
    if (value !== undefined) values[name] = value;
  }
  const hasAll = requiredOf(schema).every((name) => Object.hasOwn(values, name));
  // An object that says nothing of the answer is no answer.
  const saysSomething = Object.entries(values).some(([name]) => textNames.test(name) || listNames.test(name));
  return hasAll && saysSomething ? values : undefined;
}

const textNames = /^(?:final_?)?(?:answer|response|reply|content|text|message|output|回答|答案|内容)(?:_?text)?$/i;
const listNames = /^(?:citations?|sources?|references?|documents?|引用|来源|出处)$/i;
const truthNames = /^(?:is_?)?(?:verified|supported|grounded)$/i;
const foundNames = /^(?:is_?|was_?)?(?:answered|found|answerable|has_?answer)$/i;
const outcomeNames = /^(?:outcome|status)$/i;

function knownValue(name: string, schema: SchemaNode, answer: WholeAnswer): unknown {
  const { text, citations, done } = answer;
  if (textNames.test(name) && allows(schema, 'string')) return text;
  if (truthNames.test(name) && allows(schema, 'boolean')) return done.verified;
  if (foundNames.test(name) && allows(schema, 'boolean')) return done.outcome === AnswerOutcome.ANSWERED;
  if (outcomeNames.test(name) && allows(schema, 'string')) return outcomeOf(done);
  if (!listNames.test(name) || !allows(schema, 'array')) return undefined;
  const element = isNode(schema.items) ? schema.items : {};
  const list = citations.map((citation) => citationOf(element, citation));
  return list.includes(undefined) ? undefined : list;
}

/** Returns a citation as a schema wants it: a text, a number, or an object of known properties. */
function citationOf(schema: SchemaNode, citation: Citation): unknown {
  const known = citationToJson(citation) as Record<string, unknown>;
  if (isNode(schema.properties)) {
    const values: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(schema.properties)) {
      const value = isNode(property) ? known[citationNames[name.toLowerCase()] ?? ''] : undefined;
      if (value !== undefined && isNode(property) && allows(property, typeof value)) values[name] = value;
    }
    return requiredOf(schema).every((name) => Object.hasOwn(values, name)) ? values : undefined;
  }
  if (allows(schema, 'object')) return known;
  if (allows(schema, 'string')) return citation.url || citation.title || citation.documentId;
  return allows(schema, 'number') ? citation.marker : undefined;
}

const citationNames: Readonly<Record<string, string>> = {
  ...{ marker: 'marker', number: 'marker', index: 'marker', title: 'title', name: 'title', url: 'url', link: 'url' },
  ...{ document_id: 'document_id', documentid: 'document_id', id: 'document_id', document: 'document_id' },
  ...{ chunk_id: 'chunk_id', corpus: 'corpus', page: 'page' },
};

function outcomeOf({ outcome }: AnswerDone): string {
  return enumName(AnswerOutcomeSchema, outcome).toLowerCase();
}

/** Whether the type of a schema allows values of a kind; one without a type allows all. */
function allows({ type, $ref, anyOf, oneOf, allOf, enum: values, const: constant }: SchemaNode, kind: string): boolean {
  // What these allow is not looked into: the whole value is checked at the end.
  if ([$ref, anyOf, oneOf, allOf, values, constant].some((member) => member !== undefined) && type === undefined)
    return true;
  const types = type === undefined ? [kind] : Array.isArray(type) ? type : [type];
  return types.includes(kind) || (kind === 'number' && types.includes('integer'));
}

function requiredOf({ required }: SchemaNode): string[] {
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [];
}
