import fc from 'fast-check';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { documents, passageOf } from '../../testing/documents.ts';
import type { Inline } from './inline.ts';
import { Markdown } from './markdown.tsx';
import { type Block, parseMarkdown } from './parse.ts';

const render = (text: string, open = false) => renderToStaticMarkup(<Markdown text={text} open={open} />);

/** Every piece of text of a document with its place. */
function leavesOf(blocks: readonly Block[]): { text: string; start: number }[] {
  const ofInline = (inline: Inline): { text: string; start: number }[] => {
    if (inline.kind === 'text' || inline.kind === 'code') return [inline];
    if (inline.kind === 'marker') return [{ text: `[${inline.marker}]`, start: inline.start }];
    return inline.kind === 'newline' ? [] : inline.children.flatMap(ofInline);
  };
  return blocks.flatMap((block) => {
    switch (block.kind) {
      case 'paragraph':
      case 'heading':
        return block.children.flatMap(ofInline);
      case 'list':
        return block.items.flatMap(leavesOf);
      case 'code':
        return block.lines;
      case 'table':
        return [block.header, ...block.rows].flat(2).flatMap(ofInline);
      case 'quote':
        return leavesOf(block.children);
      case 'rule':
        return [];
      default:
        return block satisfies never;
    }
  });
}

describe('blocks', () => {
  test('paragraphs keep their line breaks', () => {
    expect(render('one\ntwo\n\nthree')).toBe('<p>one<br/>two</p><p>three</p>');
  });

  test('lists nest, keep their first number, and take Chinese numbering', () => {
    expect(render('- a\n  - b\n- c')).toBe('<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>');
    expect(render('3. c\n4. d')).toBe('<ol start="3"><li>c</li><li>d</li></ol>');
    expect(render('1、登录\n2、退货')).toBe('<ol start="1"><li>登录</li><li>退货</li></ol>');
    expect(render('- a\n\ntext')).toBe('<ul><li>a</li></ul><p>text</p>');
  });

  test('headings lie below those of the page', () => {
    expect(render('# A\n### B')).toBe('<h3>A</h3><h4>B</h4>');
    expect(render('#tag')).toBe('<p>#tag</p>');
  });

  test('tables fill short rows and drop what is too much', () => {
    const html = render('| a | b |\n|---|:-:|\n| **1** |\n| 1 | 2 | 3 |');
    expect(html).toContain('<thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>');
    expect(html).toContain('<tr><td><strong>1</strong></td><td></td></tr><tr><td>1</td><td>2</td></tr>');
    expect(render('a | b\nc')).toBe('<p>a | b<br/>c</p>');
  });

  test('rows whose cells name their columns are a table again', () => {
    const html = render('| Bought: lamps | Window: 15 days |\n| Window: 30 days |\n| 10:30 | **b** |');
    expect(html).toContain('<th scope="col">Bought</th><th scope="col">Window</th>');
    expect(html).toContain('<tr><td>lamps</td><td>15 days</td></tr><tr><td></td><td>30 days</td></tr>');
    expect(html).toContain('<tr><td>10:30</td><td><strong>b</strong></td></tr>');
    expect(render('| 品类：灯具 | 整机：24 个月 |')).toContain('<td>灯具</td><td>24 个月</td>');
    expect(render('| a: b | c: d |\n| e: f | g: h |')).not.toContain('<table');
    expect(render('| only text | here |')).not.toContain('<table');
  });

  test('code keeps its characters, also if its fence is still open', () => {
    expect(render('```js\na <b>\n```\nx')).toBe('<pre><code>a &lt;b&gt;\n</code></pre><p>x</p>');
    expect(render('```\na')).toBe('<pre><code>a\n</code></pre>');
  });

  test('quotes and rules', () => {
    expect(render('> a\n> b\n\n---')).toBe('<blockquote><p>a<br/>b</p></blockquote><hr/>');
  });
});

describe('runs', () => {
  test('bold, emphasis and code', () => {
    expect(render('a **b** *c* `d*e*`')).toBe('<p>a <strong>b</strong> <em>c</em> <code>d*e*</code></p>');
    expect(render('这是**重点**。')).toBe('<p>这是<strong>重点</strong>。</p>');
    expect(render('2*3*4, a * b, snake_case_name')).toBe('<p>2*3*4, a * b, snake_case_name</p>');
    expect(render('\\*not\\*')).toBe('<p>*not*</p>');
  });

  test('a bold run without an end is bold only while the text grows', () => {
    expect(render('a **b', true)).toBe('<p>a <strong>b</strong></p>');
    expect(render('a **b')).toBe('<p>a **b</p>');
  });

  test('markers are shown as written, or as the caller renders them', () => {
    expect(render('a [1][12] [x] [3](y)')).toBe('<p>a <span class="keep">[1][12]</span> [x] [3](y)</p>');
    const html = renderToStaticMarkup(<Markdown text="天 [1]。" marker={(marker) => <b>{marker}</b>} />);
    expect(html).toBe('<p>天 <span class="keep"><b>1</b>。</span></p>');
  });

  test('links lead to web and mail addresses only', () => {
    expect(render('[a](https://x.example/y)')).toContain('<a href="https://x.example/y"');
    expect(render('see https://x.example/y。')).toContain('>https://x.example/y</a>。');
    for (const href of ['javascript:alert(1)', 'data:text/html,x', '/relative', 'vbscript:x']) {
      expect(render(`[a](${href})`)).not.toContain('<a');
    }
  });

  test('HTML of the source is text', () => {
    expect(render('<img src=x onerror=alert(1)>')).toBe('<p>&lt;img src=x onerror=alert(1)&gt;</p>');
  });
});

describe('places', () => {
  test('every piece of text is at its offsets, for any source', () => {
    const line = fc.constantFrom(
      '# a',
      '- b *c*',
      '  - d',
      '1. **e',
      '| f | `g` |',
      '|---|---|',
      '| a: b | c：d |',
      '| c：*e* |',
      '```',
      '> h [1]',
      '',
      'i\\*',
      'x',
    );
    const source = fc.oneof(
      fc.array(line, { maxLength: 20 }).map((lines) => lines.join('\n')),
      fc.string({ unit: fc.constantFrom(...'ab*`[]()1|-#>\\ \n\r退，'.split('')), maxLength: 80 }),
    );
    fc.assert(
      fc.property(source, fc.boolean(), (text, open) => {
        const blocks = parseMarkdown(text, open);
        for (const leaf of leavesOf(blocks)) expect(text.startsWith(leaf.text, leaf.start)).toBe(true);
      }),
    );
  });

  test('highlights a passage through headings, lists and tables, and nothing else', () => {
    const text = documents[0]?.text ?? '';
    const { startOffset, endOffset } = passageOf('returns', 'The clock starts', 'as above |', []);
    const html = renderToStaticMarkup(<Markdown text={text} highlight={{ start: startOffset, end: endOffset }} />);
    const marked = [...html.matchAll(/<mark[^>]*>(.*?)<\/mark>/g)].map((match) => match[1]);
    expect(marked[0]).toBe('The clock starts on the day the carrier records delivery.');
    expect(marked).toContain('Textiles (bedding, curtains, throws)');
    expect(marked.at(-1)).toBe('as above');
    expect(marked.join('')).not.toContain('Orders placed');
  });

  test('a long line of stars is read in time', () => {
    const startedMs = threadCpuMs();
    parseMarkdown(`${'*'.repeat(20_000)}\n${'[1'.repeat(20_000)}\n${'`'.repeat(20_001)}`);
    expect(threadCpuMs() - startedMs).toBeLessThan(2000);
  });
});
