import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { ConversationTexts } from './conversations-en.ts';

/** The texts of conversations in Chinese. */
export const conversationsZh: ConversationTexts = {
  title: '会话',
  search: '问题中的文字',
  rating: '评价',
  ratings: { all: '所有评价', down: '差评' },
  views: { all: '全部', queue: '等待人工' },
  columns: { title: '会话', turns: '轮次', handover: '转人工', last: '最近' },
  states: {
    [HandoverState.OFFERED]: '已提示人工',
    [HandoverState.WAITING]: '等待中',
    [HandoverState.WITH_PERSON]: '人工服务中',
    [HandoverState.RETURNED]: '已交回',
  },
  none: '没有会话',
  noneText: '这里列出所有用户的会话，个人信息按租户策略脱敏。',
  noneWait: '没有人在等待',
  noneWaitText: '需要人工或由助手转交的用户会出现在这里。',
  accept: '接入',
  giveBack: '交回助手',
  reply: '您的回复',
  send: '发送',
  assistant: (user) => `助手答复 ${user}`,
  made: '生成过程',
  cache: '缓存',
  passages: '段落',
  degraded: '被跳过',
  auditEntry: '审计条目',
  answerId: '回答编号',
};
