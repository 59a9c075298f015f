import { readFileSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { ConversationAct, ConversationActSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { featuresOf } from './features.ts';
import { type ActModel, createClassifier } from './model.ts';

/** What a message is, as far as the message alone shows it. */
export interface Routed {
  readonly act: ConversationAct;
  /** From 0 to 1. */
  readonly probability: number;
}

/** Says what a message is. Reads the message alone. */
export type Router = (message: string) => Routed;

/** Below this, a message is a question. */
const minProbability = 0.5;
/** Words without a tag that a message may have and still be the act; with more of them it has a subject of its own. */
const maxUnknown = 1;
const maxUnknownOf = new Map<ConversationAct, number>([
  [ConversationAct.OUT_OF_SCOPE, 3],
  [ConversationAct.COMPLAINT, 3],
  [ConversationAct.UNCLEAR, 0],
]);
/** Acts that are searched like questions: a wrong one costs nothing. */
const searched: ReadonlySet<ConversationAct> = new Set([
  ConversationAct.QUESTION,
  ConversationAct.FOLLOW_UP,
  ConversationAct.ORDER_STATUS,
  ConversationAct.SUMMARY,
  ConversationAct.OTHER_LANGUAGE,
]);

/** "Do you have parking?" has the form of "Do you have friends?", but friends are known words of small talk. */
const asksForOffer =
  /(?<![a-z])(?:do|are) you(?: guys| also| still)? (?:have|offer|sell|accept|provide|take|carry|stock|hiring|open)(?![a-z])/i;

/** Acts that are about the assistant, and not about what the documents describe. */
const ofAssistant: ReadonlySet<ConversationAct> = new Set([
  ConversationAct.OUT_OF_SCOPE,
  ConversationAct.SMALLTALK,
  ConversationAct.IDENTITY,
]);

/** Asks about what the documents may describe, in words that small talk has too: opening hours, a restaurant on board, a size. */
const asksAboutSubject =
  /(?<![a-z])(?:(?:is|are) there an?y? |(?:what time|when) (?:do|does|is|are|can|must|should) (?:you|i|we|the|your) [a-z])|\d ?x ?\d+ ?(?:[cm]?m(?![a-z])|[a-z]{3,})/i;

/** Asks what a thing is for, as others ask what the assistant can do: 积分能干什么. */
const asksUseOfThing =
  /^(?:请问|那么?|(?:你们?|我们?|您)的?|[这那](?:个|款|种|张))*(?:(?!你|您|们|机器人|助[手理]|客服|人工|智能|系统|(?<![a-z])(?:ai|bot)(?![a-z]))[\p{sc=Han}a-z\d -]){1,16}?(?:能够?|可以)(?:用来|拿来)?(?:干|做)点?(?:什么|啥|嘛)/iu;

/** Asks what a rule is for a case, in words that a complaint has too: "What if the courier does not come?" */
const asksWhatIf = /^(?:and )?what (?:if|happens (?:if|when))(?![a-z])/i;

/** Returns whether messages of this act are searched; the others get a reply. */
export const isSearched = (act: ConversationAct): boolean => searched.has(act);

/** Messages that are remembered with what they are: the same questions are asked again and again. */
const maxRemembered = 2000;
/** Longest message that is remembered, in UTF-16 code units. */
const rememberedLength = 200;

/** Creates the router from a model; by default from weights.json, which training/train.ts writes. */
export function createRouter(model: ActModel = readModel()): Router {
  const known = new LRUCache<string, Routed>({ max: maxRemembered });
  const route = createReader(model);
  return (message) => {
    if (message.length > rememberedLength) return route(message);
    let routed = known.get(message);
    if (routed === undefined) {
      routed = route(message);
      known.set(message, routed);
    }
    return routed;
  };
}

function createReader(model: ActModel): Router {
  const classify = createClassifier(model);
  const acts = model.acts.map(actNamed);
  return (message) => {
    const features = featuresOf(message);
    const probabilities = classify(features);
    const best = probabilities.indexOf(Math.max(...probabilities));
    const act = acts[best] ?? ConversationAct.QUESTION;
    const probability = probabilities[best] ?? 0;
    if (isSearched(act)) return { act, probability };
    const unknown = unknownOf(features);
    const isOwnSubject =
      unknown > (maxUnknownOf.get(act) ?? maxUnknown) ||
      (ofAssistant.has(act) && (asksAboutSubject.test(message) || (unknown > 0 && asksForOffer.test(message)))) ||
      (act === ConversationAct.IDENTITY && asksUseOfThing.test(message)) ||
      (act === ConversationAct.COMPLAINT && asksWhatIf.test(message));
    return probability < minProbability || isOwnSubject
      ? { act: ConversationAct.QUESTION, probability }
      : { act, probability };
  };
}

// A code, such as a model or an amount, is a subject too.
function unknownOf(features: readonly string[]): number {
  const unknown = features.find((name) => name.startsWith('unknown '));
  return Number(unknown?.slice('unknown '.length) ?? 0) + (features.includes('CODE') ? 1 : 0);
}

// The values of an enum's schema are numbers.
function actNamed(name: string): ConversationAct {
  const found = ConversationActSchema.values.find(({ localName }) => localName === name.toUpperCase());
  return (found?.number ?? ConversationAct.QUESTION) as ConversationAct;
}

function readModel(): ActModel {
  return JSON.parse(readFileSync(new URL('weights.json', import.meta.url), 'utf8')) as ActModel;
}
