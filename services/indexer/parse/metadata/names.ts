import { foldTraditional } from '#kit/text/han-variants.ts';

/** Accepted names of each value, as {@link nameKey} returns them. The first one with a value is used. */
export const names = {
  id: ['id'],
  title: ['title', '标题', 'タイトル'],
  question: ['question', 'q', '问题', '问', '标准问', '标准问题', '标准问法', '质问'],
  text: [
    'text',
    'content',
    'body',
    'answer',
    'a',
    '正文',
    '内容',
    '答案',
    '回答',
    '答',
    '标准答案',
    '标准回答',
    '本文',
  ],
  similar: ['similar', 'indexes', 'similar_questions', '相似问', '相似问题', '相似问法', '扩展问', '扩展问法'],
  url: ['url', 'link', '网址', '链接'],
  language: ['language', 'lang', '语言'],
  groups: ['groups', 'group', '权限组'],
  updated: ['updated', 'updated_at', 'last_updated', 'lastmod', 'date', '更新时间', '更新日期'],
  owner: ['owner', '负责人', '责任人'],
  review: ['review_at', 'review_date', 'review_by', '复审日期', '复核日期'],
  validFrom: ['valid_from', 'effective_from', 'effective_date', '生效日期', '生效时间'],
  validUntil: ['valid_until', 'valid_to', 'expires', 'expires_at', '失效日期', '失效时间', '有效期至'],
  access: ['access', 'visibility', '访问权限'],
  draft: ['draft', '草稿'],
} as const;

/** Names of a text, for messages. */
export const textNames = names.text;
/** Names of a title. */
export const titleNames = [...names.title, ...names.question];

/** Returns a name as names are compared: in lower case, with simplified characters (`標題`, `質問`). */
export function nameKey(name: string): string {
  return foldTraditional(name.toLowerCase());
}

/** All of them. */
export const knownNames: ReadonlySet<string> = new Set(Object.values(names).flat());
