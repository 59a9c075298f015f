import { describe, expect, test } from 'vitest';
import type { Said } from '../question.ts';
import { recogniseChore } from './recognise.ts';
import { replyTo } from './reply.ts';

const said = (...messages: [Said['role'], string][]): Said[] =>
  messages.map(([role, text], index) => ({ role, text, index }));
const replyOf = (messages: Said[]): string | undefined => {
  const chore = recogniseChore(messages);
  return chore && replyTo(chore);
};

const transcript = `<chat_history>
USER: How long do refunds take after a return? I paid by card.
ASSISTANT: Refunds take 5 working days [1].
</chat_history>`;
const chinese = `<chat_history>
USER: 退货的条件是什么？
ASSISTANT: 七天内可以退货 [1]。
</chat_history>`;
const openWebUi = (order: string, output: string, history = transcript) => `### Task:
${order}
### Guidelines:
- Write in the chat's primary language; default to English if multilingual.
- Prioritize accuracy over excessive creativity; keep it clear and simple.
### Output:
JSON format: ${output}
### Chat History:
${history}`;

describe('prompts of chat front ends', () => {
  test.each<[string, Said[], string]>([
    [
      'Open WebUI, title',
      said([
        'user',
        openWebUi(
          'Generate a concise, 3-5 word title with an emoji summarizing the chat history.',
          '{ "title": "your concise title here" }',
        ),
      ]),
      '{"title":"How long do refunds take after"}',
    ],
    [
      'Open WebUI, title of a Chinese chat',
      said(['user', openWebUi('Generate a concise title.', '{ "title": "…" }', chinese)]),
      '{"title":"退货的条件是什么"}',
    ],
    [
      'Open WebUI, follow-ups',
      said([
        'user',
        openWebUi(
          'Suggest 3-5 relevant follow-up questions or prompts that the user might naturally ask next in this conversation as a **user**.',
          '{ "follow_ups": ["Question 1?", "Question 2?", "Question 3?"] }',
        ),
      ]),
      '{"follow_ups":[]}',
    ],
    [
      'Open WebUI, queries',
      said([
        'user',
        openWebUi(
          'Analyze the chat history to determine the necessity of generating search queries, in the given language.',
          '{ "queries": ["query1", "query2"] }',
        ),
      ]),
      '{"queries":["How long do refunds take after a return? I paid by card."]}',
    ],
    [
      'LibreChat',
      said([
        'user',
        'Provide a concise, 5-word-or-less title for the conversation, using title case conventions. Only return the title itself.\n\nConversation:\nUser: How long do refunds take?\nAI: 5 days [1].',
      ]),
      'How long do refunds take',
    ],
    [
      'LibreChat, older form',
      said(
        [
          'system',
          'Please generate a concise, 5-word-or-less title for the conversation, using its same language, with no punctuation.\n||>User:\n"How long do refunds take?"\n||>Response:\n"5 days"',
        ],
        ['user', '||>User:\n"How long do refunds take?"\n||>Response:\n"5 days"\n\n||>Title:'],
      ),
      'How long do refunds take',
    ],
    [
      'Dify, title',
      said([
        'user',
        `You need to decompose the user's input into "subject" and "intention" in order to accurately figure out what the user's input language actually is.
Return in the following JSON format:
{"Language Type": "The user's input is pure Chinese", "Your Reasoning": "…", "Your Output": "…"}

User Input: 运费怎么算？`,
      ]),
      '{"Your Output":"运费怎么算"}',
    ],
    [
      'Dify, next questions',
      said(
        ['user', 'How long do refunds take?'],
        ['assistant', '5 days'],
        [
          'user',
          'Please help me predict the three most likely questions that human would ask, and keeping each question under 20 characters.\nThe output must be an array in JSON format following the specified schema:\n["question1","question2","question3"]',
        ],
      ),
      '[]',
    ],
    [
      'LobeChat',
      said(
        ['system', '你是一名擅长会话的助理，你需要将用户的会话总结为 10 个字以内的标题，不需要包含标点符号'],
        [
          'user',
          'user: 发票怎么开？\nassistant: 在订单页 [1]。\n\n请总结上述对话为10个字以内的标题，不需要包含标点符号，输出语言语种为：zh-CN',
        ],
      ),
      '发票怎么开',
    ],
    [
      'LobeChat, English',
      said(
        [
          'system',
          'You are a professional conversation summarizer. Generate a concise title that captures the essence of the conversation.\n\nRules:\n- Output ONLY the title text, no explanations\n- Maximum 10 words',
        ],
        ['user', 'user: Where is my invoice?\nassistant: On the order page.'],
      ),
      'Where is my invoice',
    ],
    [
      'NextChat',
      said(
        ['user', '保修期多久？'],
        ['assistant', '两年'],
        [
          'user',
          '使用四到五个字直接返回这句话的简要主题，不要解释、不要标点、不要语气词、不要多余文本，不要加粗，如果没有主题，请直接返回“闲聊”',
        ],
      ),
      '保修期多久',
    ],
    [
      'NextChat, English',
      said(
        ['user', 'Is the warranty two years?'],
        ['assistant', 'Yes'],
        [
          'user',
          'Please generate a four to five word title summarizing our conversation without any lead-in, punctuation, quotation marks, periods, symbols, bold text, or additional text. Remove enclosing quotation marks.',
        ],
      ),
      'Is the warranty two years',
    ],
    [
      'Chatbox',
      said([
        'user',
        "Based on the chat history, give this conversation a name.\nKeep it short - 10 characters max, no quotes.\nUse English.\nJust provide the name, nothing else.\n\nHere's the conversation:\n```\nUser: Do you ship abroad?\nAssistant: Yes\n```",
      ]),
      'Do you ship abroad',
    ],
  ])('%s', (_, messages, reply) => {
    expect(replyOf(messages)).toBe(reply);
  });

  test('tags are the words that say most, in the shape that is asked for', () => {
    const order = 'Generate 1-3 broad tags categorizing the main themes of the chat history.';
    const reply = replyOf(said(['user', openWebUi(order, '{ "tags": ["tag1", "tag2", "tag3"] }')]));
    expect(JSON.parse(reply ?? '').tags).toEqual(expect.arrayContaining([expect.stringMatching(/^[A-Z]/)]));
    expect(
      JSON.parse(replyOf(said(['user', openWebUi(order, '{ "tags": ["tag1"] }', chinese)])) ?? '').tags.length,
    ).toBeGreaterThan(0);
  });
});

describe('questions of people', () => {
  test.each([
    'How do I generate a title for my report in three words?',
    'What is the title of the returns policy?',
    'Provide a summary of the conversation policy of the call centre',
    'How many characters may the name of a product have?',
    'Please generate a title',
    'Who has the job title "tags editor"?',
    '标题最多几个字？',
    '怎么给会话起一个标题？',
    '商品标题怎么写，不要超过多少字？',
    '### Task 4\nWhat does the handbook say about refunds?',
    'Create a follow-up ticket: how?',
    'JSON format: { "title": … } is what the API of orders returns. Where is it documented?',
  ])('%s', (question) => {
    expect(recogniseChore(said(['user', question]))).toBeUndefined();
    expect(recogniseChore(said(['user', 'Hello'], ['assistant', 'Hi'], ['user', question]))).toBeUndefined();
  });

  test('a long prompt is read within bounds', () => {
    const long = `### Task:\n${'Generate a title for the conversation '.repeat(20_000)}`;
    expect(recogniseChore(said(['user', long]))?.kind).toBe('title');
    expect(recogniseChore(said(['user', 'user: '.repeat(100_000)]))).toBeUndefined();
    expect(recogniseChore(said(['user', '<chat_history>\n'.repeat(50_000)]))).toBeUndefined();
  });
});
