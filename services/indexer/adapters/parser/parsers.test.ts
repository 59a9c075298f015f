import { describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { ParsedDocument, ParseFailure, Parser } from '../../parse/parser.ts';
import { parseAll, parserSuite } from '../../suites/parser.suite.ts';

const load = (name: string) =>
  createFromAdapter<Parser, object>(new URL('./', import.meta.url), name, undefined, {}, 'indexer.parser');

const cases = {
  markdown: { path: 'a.md', fileWith: (words: string) => `# Title\n\nSome ${words} here.\n` },
  html: { path: 'a.html', fileWith: (words: string) => `<html><body><p>Some ${words} here.</p></body></html>` },
  csv: {
    path: 'a.csv',
    fileWith: (words: string) => `title,text\nTitle,"Some ${words.replaceAll('"', '""')} here."\n`,
  },
  json: {
    path: 'a.jsonl',
    fileWith: (words: string) => `{"title":"Title","text":"Some ${JSON.stringify(words).slice(1, -1)} here."}\n`,
  },
  text: { path: 'a.txt', fileWith: (words: string) => `Title\n\nSome ${words} here.\n` },
};

for (const [name, { path, fileWith }] of Object.entries(cases)) {
  parserSuite(name, { create: () => load(name), path, fileWith });
}

const documents = async (name: string, path: string, content: string | Uint8Array): Promise<ParsedDocument[]> =>
  (await parseAll(await load(name), path, content)).flatMap((parsed) =>
    parsed.kind === 'document' ? [parsed.document] : [],
  );
const failures = async (name: string, path: string, content: string | Uint8Array): Promise<ParseFailure[]> =>
  (await parseAll(await load(name), path, content)).flatMap((parsed) =>
    parsed.kind === 'failure' ? [parsed.failure] : [],
  );
const one = async (name: string, path: string, content: string | Uint8Array): Promise<ParsedDocument> => {
  const [document] = await documents(name, path, content);
  if (document === undefined) throw new Error('no document');
  return document;
};
const blocksOf = ({ text, blocks }: ParsedDocument) =>
  blocks.map(({ kind, start, end }) => [kind, text.slice(start, end)]);

describe('Markdown', () => {
  test('front matter gives title, language, groups, url and time; the rest are attributes', async () => {
    const document = await one(
      'markdown',
      'staff/limits.md',
      '---\ntitle: 退款审批权限\nlanguage: zh\ngroups: [staff, lead]\nurl: https://x/y\nupdated: 2026-09-16\nteam: care\nlevel: 2\n---\n## 额度\n正文。\n',
    );
    expect(document).toMatchObject({
      documentId: 'staff/limits.md',
      title: '退款审批权限',
      language: 'zh',
      groups: ['staff', 'lead'],
      url: 'https://x/y',
      attributes: { team: 'care', level: '2' },
      updatedAtMs: Date.UTC(2026, 8, 16),
    });
    expect(document.text).toBe('## 额度\n\n正文。');
  });

  test('a row of a table holds the header of each cell, and escaped bars are bars', async () => {
    const document = await one('markdown', 'a.md', '| 岗位 | Limit |\n|---|---|\n| L1 | 200 \\| 300 |\n| L2 | |\n');
    expect(blocksOf(document)).toEqual([
      ['table-row', '| 岗位：L1 | Limit: 200 | 300 |'],
      ['table-row', '| 岗位：L2 |'],
    ]);
  });

  test('each outer list entry is a block, code does not change, comments and link targets are left out', async () => {
    const document = await one(
      'markdown',
      'a.md',
      '- one\n  - inner\n- two\n\n```ts\n  const a = 1;\n\n  b();\n```\n\n<!-- note -->\n\n[x]: http://x\n\nSee [x].\n',
    );
    expect(blocksOf(document)).toEqual([
      ['list-item', '- one\n  - inner'],
      ['list-item', '- two'],
      ['code', '```ts\n  const a = 1;\n\n  b();\n```'],
      ['paragraph', 'See [x].'],
    ]);
  });

  test.each([
    [
      'lists',
      (depth: number) => Array.from({ length: depth }, (_, at) => `${' '.repeat(2 * at)}- item${at}`).join('\n'),
    ],
    ['lists on one line', (depth: number) => `${'- '.repeat(depth)}item${depth - 1}`],
    ['quotations', (depth: number) => `${'> '.repeat(depth)}item${depth - 1}`],
  ])('%s that are nested without end are text, in time that does not grow with their depth', async (_, nested) => {
    const { text } = await one('markdown', 'a.md', nested(1000));
    expect(text).toContain('item999');
    const { blocks } = await one('markdown', 'a.md', `# Title\n\n${nested(3)}\n`);
    expect(blocks.length).toBeGreaterThan(1);
  });

  test('a heading of a long file has the words of a link that is defined at its end, and keeps a footnote', async () => {
    const filler = 'Text of the file.\n\n'.repeat(500);
    const ends = '[1.2]: https://example.com/compare\n\n[^1]: https://example.com/note\n';
    const { blocks } = await one('markdown', 'a.md', `## [1.2] - today[^1]\n\n${filler}${ends}`);
    expect(blocks[0]?.heading).toBe('1.2 - today[^1]');
  });

  test('marks without an end take a time that is linear in the text', async () => {
    for (const mark of ['*a_', '[', '**a **', '[a](<b>', '![a ', '<a ']) {
      const text = `${mark.repeat(20_000)}x`;
      const document = await one('markdown', 'a.md', `# Title\n\n${text}\n`);
      expect(document.text).toBe(`# Title\n\n${text}`);
    }
  });

  test('without front matter the first outermost heading is the title, and a rule at the top is no front matter', async () => {
    expect((await one('markdown', 'a.md', '## Small\n\n# **Big** `one`\n\nx\n')).title).toBe('Big one');
    const marked = '# Say \\*no\\* to [*it*](http://x), [1.2] &amp; `a_b`\n\nx\n\n[1.2]: http://y\n';
    expect((await one('markdown', 'a.md', marked)).title).toBe('Say *no* to it, 1.2 & a_b');
    expect((await one('markdown', 'dir/plain.md', '---\n\nJust text\n\n---\n\nmore\n')).title).toBe('plain');
  });

  test('a title with a colon is a text, as people write it', async () => {
    const front = 'title: Ferry: fares and times\ngroups: [staff]\nnote: see 10:30, or: ask\nurl: https://x/y';
    expect(await one('markdown', 'a.md', `---\n${front}\n---\nBody.\n`)).toMatchObject({
      title: 'Ferry: fares and times',
      groups: ['staff'],
      url: 'https://x/y',
      attributes: { note: 'see 10:30, or: ask' },
    });
  });

  test('broken front matter, and groups that are no list of names, fail the document', async () => {
    const parse = (file: string) =>
      parseAll({} as Parser, '', '').catch(() => load('markdown').then((p) => parseAll(p, 'a.md', file)));
    await expect(parse('---\ngroups: [staff\n---\nsecret\n')).rejects.toMatchObject({
      reason: ErrorReason.DOCUMENT_CORRUPT,
    });
    await expect(parse('---\ngroups: {staff: true}\n---\nsecret\n')).rejects.toThrow('groups');
    await expect(parse('---\ngroups: ["*"]\n---\nsecret\n')).rejects.toThrow('groups');
    await expect(parse('---\n- a\n---\nsecret\n')).rejects.toThrow('mapping');
    await expect(parse('---\ngroups: *none\n---\nsecret\n')).rejects.toThrow('front matter');
    await expect(parse('+++\ngroups = ["staff"]\n+++\nsecret\n')).rejects.toThrow('TOML');
    expect((await one('markdown', 'a.md', '---\ngroups: staff, lead\n---\nx\n')).groups).toEqual(['staff', 'lead']);
    expect((await one('markdown', 'a.md', '---\ngroups: []\n---\nx\n')).groups).toEqual([]);
  });
});

describe('HTML', () => {
  test('keeps the article and drops what every page repeats', async () => {
    const document = await one(
      'html',
      'a.html',
      `<html lang="zh-CN"><head><title>门店 - 帮助</title><link rel="canonical" href="https://x/stores"><style>p{}</style></head>
       <body><nav>首页</nav><article><h1>门店</h1><p>三家&nbsp;店。<br>都<b>可以</b>自提。</p><form>搜索<input name="q"></form><aside class="ad">广告</aside></article>
       <div class="sidebar">推荐</div><footer>版权</footer><script>x()</script></body></html>`,
    );
    expect(document).toMatchObject({ title: '门店', language: 'zh-CN', url: 'https://x/stores' });
    expect(document.text).toBe('# 门店\n\n三家 店。\n都可以自提。');
  });

  test('what a reader can open is content, with what opens it as its heading', async () => {
    const page = `<main><h1>帮助</h1>
      <h2><button aria-expanded="false" aria-controls="p1">怎么退货？</button></h2><div id="p1" hidden><p>七天内。</p></div>
      <button class="accordion">几点营业？</button><div class="panel" style="display:none">八点。</div>
      <details><summary>能开票吗？</summary>可以。</details>
      <div role="tablist"><button role="tab" id="t1" aria-controls="p2">海外</button></div>
      <div role="tabpanel" id="p2" aria-labelledby="t1" hidden>不配送。</div>
      <button>提交</button></main>`;
    expect((await one('html', 'a.html', page)).text).toBe(
      '# 帮助\n\n## 怎么退货？\n\n七天内。\n\n### 几点营业？\n\n八点。\n\n### 能开票吗？\n\n可以。\n\n### 海外\n\n不配送。',
    );
  });

  test('what no reader sees is left out and counted', async () => {
    const page = `<style>.x, p.gone { display: none } /* .y{display:none} */ @media print { .y { display: none } }</style><main>
      <p>seen<span class="x"> A</span><span style="font-size:0"> B</span></p><p class="gone">C</p><p class="y">also seen</p>
      <p style="color:#fff">D</p><div style="background:#FFF"><b style="color:white">E</b></div>
      <div style="background:#000"><b style="color:white">shown</b></div><p hidden>F</p><p style="text-indent:-9999px">G</p></main>`;
    const parsed = await parseAll(await load('html'), 'a.html', page);
    expect(parsed).toMatchObject([
      { document: { text: 'seen\n\nalso seen\n\nshown' } },
      { note: { kind: NoteKind.HIDDEN_SKIPPED, count: 7 } },
    ]);
  });

  test('asides and texts of forms in the main part stay; a term and its description are one entry', async () => {
    const page = `<main><aside class="note">注意：需预约。</aside><form><label>姓名</label><input><p>三日内回复。</p></form>
      <dl><dt>运费</dt><dd>八元</dd><div><dt>Who?</dt><dd>We</dd></div><dt>时效</dt><dd><ul><li>快</li></ul></dd></dl>
      <nav>目录</nav></main>`;
    const parsed = await parseAll(await load('html'), 'a.html', page);
    expect(parsed).toMatchObject([
      { document: { text: '注意：需预约。\n\n姓名\n\n三日内回复。\n\n- 运费：八元\n- Who? We\n\n时效\n\n- 快' } },
      { note: { kind: NoteKind.BOILERPLATE_SKIPPED, count: 1 } },
    ]);
  });

  test('hostile styles and controls take little time', async () => {
    const page = `<style>${'@{'.repeat(50_000)}${'/*'.repeat(50_000)}</style><main>${'<!-- -->'.repeat(20_000)}${'<p hidden>x</p>'.repeat(20_000)}kept</main>`;
    expect((await one('html', 'a.html', page)).text).toBe('kept');
  });

  test('without a marked main part, boilerplate is recognized by its name; a page inside a form is still read', async () => {
    const page = '<body><div class="top navbar">Home</div><p>Words</p><div id="footer">Imprint</div></body>';
    expect((await one('html', 'a.html', page)).text).toBe('Words');
    expect((await one('html', 'a.html', '<form><p>All inside</p></form>')).text).toBe('All inside');
  });

  test('tables become rows with headers, also with spans and two header rows; outer tables are layout', async () => {
    const table = `<table><caption>Fees</caption><thead><tr><th rowspan=2>Zone<th colspan=2>Kilogram</tr>
      <tr><th>first<th>next</tr></thead>
      <tr><td rowspan="2">A</td><td>1<td>2</tr><tr><td>3</td><td></td></tr></table>`;
    expect(blocksOf(await one('html', 'a.html', table))).toEqual([
      ['paragraph', 'Fees'],
      ['table-row', '| Zone: A | Kilogram first: 1 | Kilogram next: 2 |'],
      ['table-row', '| Zone: A | Kilogram first: 3 |'],
    ]);
    const nested = '<table><tr><td><p>Left</p><td><table><tr><th>k<th>v<tr><td>a<td>b</table></table>';
    expect(blocksOf(await one('html', 'a.html', nested))).toEqual([
      ['paragraph', 'Left'],
      ['table-row', '| k: a | v: b |'],
    ]);
  });

  test('unclosed tags, nested lists and numbers of ordered lists are read', async () => {
    const list = '<ol start=3><li>three<ul><li>inner</ul><li>four</ol><p>after<p>more';
    expect(blocksOf(await one('html', 'a.html', list))).toEqual([
      ['list-item', '3. three'],
      ['list-item', '- inner'],
      ['list-item', '4. four'],
      ['paragraph', 'after'],
      ['paragraph', 'more'],
    ]);
  });

  test('the encoding that a page declares in its head is used', async () => {
    const page = Buffer.concat([Buffer.from('<meta charset="gbk"><p>'), Buffer.from([0xc4, 0xe3, 0xba, 0xc3])]);
    expect((await one('html', 'a.html', page)).text).toBe('你好');
  });

  test('nesting of any depth is read', async () => {
    const deep = `${'<div>'.repeat(50_000)}bottom${'</div>'.repeat(50_000)}`;
    expect((await one('html', 'a.html', deep)).text).toBe('bottom');
  });
});

describe('JSON Lines', () => {
  test('a given id is the id; without one it is the line; other scalars are attributes', async () => {
    const lines = await documents(
      'json',
      'a.jsonl',
      '{"id":"k-1","title":"T","text":"x","product":"k","lang":"zh","n":3,"deep":{"a":1}}\n\n{"content":"y"}\n',
    );
    expect(lines).toMatchObject([
      { documentId: 'k-1', isPlaced: false, language: 'zh', attributes: { product: 'k', n: '3' } },
      { documentId: 'a.jsonl#3', isPlaced: true, title: 'a.jsonl#3', text: 'y' },
    ]);
  });

  test('a table in the text becomes rows with headers, as in Markdown', async () => {
    const text = 'Fees:\n|Zone|Fee \\| tax|\n|:---|---|\n|A|1|\n|B||\nAfter.\n|no|header|';
    const document = await one('json', 'a.jsonl', JSON.stringify({ text }));
    expect(document.text).toBe('Fees:\n| Zone: A | Fee | tax: 1 |\n| Zone: B |\nAfter.\n|no|header|');
    expect(document.blocks.map(({ kind }) => kind)).toEqual([
      'paragraph',
      'table-row',
      'table-row',
      'paragraph',
      'table-row',
    ]);
  });

  test('each bad line is a failure of its own', async () => {
    const file =
      '{"text":"a"}\n{"text":\n[1]\n{"title":"t"}\n{"text":"b","groups":7.5e3}\n{"text":"c","groups":{"a":1}}\n';
    expect((await documents('json', 'a.jsonl', file)).map(({ text }) => text)).toEqual(['a']);
    expect((await failures('json', 'a.jsonl', file)).map(({ line, documentId }) => [line, documentId])).toEqual([
      [2, undefined],
      [3, undefined],
      [4, 'a.jsonl#4'],
      [5, undefined],
      [6, undefined],
    ]);
  });

  test('a line that is too long is a failure, in constant memory', async () => {
    const file = `{"text":"${'x'.repeat(9 << 20)}"}\n{"text":"b"}\n`;
    expect(await failures('json', 'a.jsonl', file)).toMatchObject([{ line: 1, reason: ErrorReason.TOO_LARGE }]);
    expect(await documents('json', 'a.jsonl', file)).toMatchObject([{ text: 'b' }]);
  });
});

describe('plain text', () => {
  test('the first line is the title, numbered parts are headings, wrapped prose is one paragraph', async () => {
    const document = await one(
      'text',
      'a.txt',
      '活动公告\n\n一、时间\n预售：10 月。\n\nA line that an editor has wrapped because it was long, so it\ngoes on here.\n',
    );
    expect(document.title).toBe('活动公告');
    expect(document.blocks.map(({ kind }) => kind)).toEqual(['paragraph', 'heading', 'paragraph', 'paragraph']);
  });

  test('UTF-16 with its mark, and an encoding that the media type names, are read', async () => {
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('你好', 'utf16le')]);
    expect((await one('text', 'a.txt', utf16)).text).toBe('你好');
    const gbk = Buffer.from([0xc4, 0xe3, 0xba, 0xc3]);
    const [parsed] = await parseAll(await load('text'), 'a.txt', gbk, 100, 'text/plain; charset=gbk');
    expect(parsed?.kind === 'document' && parsed.document.text).toBe('你好');
  });
});
