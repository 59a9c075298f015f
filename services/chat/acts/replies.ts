import { ConversationAct as Act } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';

/** A reply from the configuration. */
export interface ConfiguredReply {
  /** Empty: every tenant. */
  readonly tenant: string;
  readonly act: Act;
  /** UNSPECIFIED: every language. */
  readonly language: Language;
  readonly text: string;
}

type Texts = Partial<Record<Act, string>>;

const chinese: Texts = {
  [Act.GREETING]: '您好！请直接告诉我您的问题，我会从资料中查找答案并注明出处。',
  [Act.THANKS]: '不客气！还有其他问题可以继续问我。',
  [Act.GOODBYE]: '再见！有需要随时再来。',
  [Act.SMALLTALK]: '我只能根据资料回答问题，闲聊不太擅长。您想了解什么？',
  [Act.IDENTITY]:
    '我是问答助手，不是真人。我从知识库的资料中查找答案并注明出处；资料里没有的，我会直接说明。需要真人时，回复“转人工”即可。',
  [Act.HANDOVER]: '好的，已为您申请人工客服，请稍候。等待期间您可以继续提问。',
  [Act.COMPLAINT]: '很抱歉给您带来不好的体验。需要由人工客服跟进吗？回复“转人工”，我会把我们的对话一并转交。',
  [Act.ORDER_STATUS]: '我看不到您的订单和账户信息。需要查询具体订单时，回复“转人工”，由人工客服为您处理。',
  [Act.UNCLEAR]: '请问您想了解什么？可以写上商品或业务名称和具体问题，例如“台灯的保修期是多久”。',
  [Act.OUT_OF_SCOPE]: '这个我做不到：我只能根据资料回答问题。您可以问我资料中的内容。',
  [Act.ABUSE]: '我会尽力帮您。请告诉我需要解决的问题，或回复“转人工”联系人工客服。',
};

const english: Texts = {
  [Act.GREETING]: 'Hello! Ask me your question, and I will look for the answer in the documents and name the source.',
  [Act.THANKS]: 'You are welcome! Ask me if there is anything else.',
  [Act.GOODBYE]: 'Goodbye! Come back whenever you have a question.',
  [Act.SMALLTALK]: 'I only answer questions from the documents. What would you like to know?',
  [Act.IDENTITY]:
    'I am an assistant, not a person. I look for answers in the documents of the knowledge base and name the source; if they have no answer, I say so. For a person, write "talk to an agent".',
  [Act.HANDOVER]: 'I have requested a person for you. Please wait a moment; you can ask me more questions meanwhile.',
  [Act.COMPLAINT]:
    'I am sorry about this. Shall a person take care of it? Write "talk to an agent", and I will pass on our conversation.',
  [Act.ORDER_STATUS]:
    'I cannot see your orders or your account. For your own order, write "talk to an agent", and a person will look it up.',
  [Act.UNCLEAR]:
    'What would you like to know? Please name the product or the service and what you want to know about it, for example "How long is the warranty of the desk lamp?".',
  [Act.OUT_OF_SCOPE]: 'I cannot do that: I only answer questions from the documents. Ask me about something in them.',
  [Act.ABUSE]: 'I want to help. Please describe the problem, or write "talk to an agent" to get a person.',
};

/** A conversation that is with a person. */
export const withPersonText = (language: Language): string =>
  language === Language.ZH
    ? '人工客服正在处理这次对话，请在人工客服的窗口中继续。'
    : 'A person is taking care of this conversation. Please continue with them.';

/** Asking back did not help, or the documents did not answer several times. */
export const offerText = (language: Language): string =>
  language === Language.ZH
    ? '需要的话，回复“转人工”，由人工客服为您处理。'
    : 'If you like, write "talk to an agent", and a person will help you.';

/** Creates the look-up of replies. A configured text for the tenant wins over one for all, and a language over none. */
export function createReplies(configured: readonly ConfiguredReply[]) {
  return (tenant: string, act: Act, language: Language): string => {
    const rank = (reply: ConfiguredReply) =>
      (reply.tenant === '' ? 0 : 2) + (reply.language === Language.UNSPECIFIED ? 0 : 1);
    const matching = configured
      .filter((reply) => reply.act === act && ['', tenant].includes(reply.tenant))
      .filter((reply) => reply.language === Language.UNSPECIFIED || reply.language === language)
      .sort((a, b) => rank(b) - rank(a));
    return matching[0]?.text ?? (language === Language.ZH ? chinese[act] : english[act]) ?? '';
  };
}

/** Returns the text for an act, a tenant and a language; empty if there is none. */
export type Replies = ReturnType<typeof createReplies>;
