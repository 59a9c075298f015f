/** Texts of the curated answers in English. */
export const curatedEn = {
  create: 'New answer',
  none: 'No curated answers yet',
  noneText:
    'A curated answer is given word for word to the questions that you name. It comes before documents and cache. Write one here, or for a topic of the inbox.',
  question: 'Question',
  answer: 'Answer',
  changedBy: 'Changed by',
  changed: 'Changed',
  version: 'Version',
  versions: 'Versions',
  given: 'Given',
  withdrawn: 'Withdrawn',
  withdraw: 'Withdraw',
  withdrawTitle: 'Withdraw this answer?',
  withdrawText:
    'Its questions are answered from documents again. The versions stay; publishing it again brings it back.',
  gone: 'There is no such answer',
  goneText: 'Its address may be wrong, or it belongs to a corpus that you may not maintain.',
};

/** Texts of the curated answers in Chinese. */
export const curatedZh: typeof curatedEn = {
  create: '新建回答',
  none: '还没有人工回答',
  noneText:
    '对您指定的问题，系统会一字不差地给出人工回答，优先于文档和缓存。可以在这里新建，也可以在待办问题的主题中编写。',
  question: '问题',
  answer: '回答',
  changedBy: '修改者',
  changed: '修改时间',
  version: '版本',
  versions: '历史版本',
  given: '生效中',
  withdrawn: '已撤回',
  withdraw: '撤回',
  withdrawTitle: '撤回这条回答？',
  withdrawText: '这些问题将重新依据文档回答。历史版本会保留，再次发布即可恢复。',
  gone: '没有这条回答',
  goneText: '地址可能有误，或者它属于您无权维护的知识库。',
};
