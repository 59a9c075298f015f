import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';

// What chat itself says of tools.

interface ToolTexts {
  /** Instructs a model that may call tools. */
  rule: string;
  /** Asks for the argument that a message lacks. */
  askForSlot(title: string): string;
  /** Asks for approval. */
  askForApproval(title: string, argumentsJson: string): string;
  declined(title: string): string;
  failed(title: string): string;
  /** The caller decided about a call that no longer waits. */
  expired: string;
}

const chinese: ToolTexts = {
  rule: '- 问题涉及提问者自己的数据（例如订单）或需要实时信息时，调用合适的工具；工具的结果会成为编号资料，同样标注出处。不要编造参数，缺少参数就询问。',
  askForSlot: (title) => `请告诉我编号，我来为您查询（${title}）。`,
  askForApproval: (title, argumentsJson) => `“${title}”会产生变更，需要您确认后才会执行：${argumentsJson}`,
  declined: (title) => `好的，没有执行“${title}”。`,
  failed: (title) => `抱歉，“${title}”没有成功。请稍后再试，或联系人工客服。`,
  expired: '这项操作已经处理过或已过期。如仍需要，请重新提出。',
};

const english: ToolTexts = {
  rule: "- If the question is about the caller's own data, such as an order, or needs current data, call a suitable tool; its result becomes a numbered passage, to be cited like the others. Never invent arguments: ask for what is missing.",
  askForSlot: (title) => `Please give me the number, and I will look it up (${title}).`,
  askForApproval: (title, argumentsJson) =>
    `"${title}" changes something, so it runs only if you approve: ${argumentsJson}`,
  declined: (title) => `All right, "${title}" was not run.`,
  failed: (title) => `Sorry, "${title}" did not succeed. Please try again later, or contact the support team.`,
  expired: 'This was already decided, or it has expired. Please ask again if you still need it.',
};

/** Returns the texts in a language; English if it is not Chinese. */
export const toolTexts = (language: Language): ToolTexts => (language === Language.ZH ? chinese : english);
