import { expect, test } from 'vitest';
import { sourceSuite } from '../../suites/source.suite.ts';
import { openTestSource } from '../../testing/source-deps.ts';
import { startTestSite } from '../../testing/test-site.ts';

const never = new AbortController().signal;

sourceSuite('rss', async () => {
  const site = await startTestSite();
  const posts = new Map<string, string>();
  const publish = () => {
    const items = [...posts].map(
      ([name, text]) => `<item><title>${name}</title><guid>post-${name}</guid><link>https://blog.example/${name}</link>
        <description><![CDATA[<p>${text}</p>]]></description><pubDate>Tue, 01 Dec 2026 10:00:00 GMT</pubDate></item>`,
    );
    const body = `<rss version="2.0"><channel><title>Blog</title>${items.join('')}</channel></rss>`;
    site.pages.set('/feed', { body, type: 'application/rss+xml' });
  };
  return {
    open: () => openTestSource('rss', { urls: [`${site.url}/feed`] }),
    async put(name, text) {
      posts.set(name, text);
      publish();
      return `post-${name}`;
    },
    async remove(name) {
      posts.delete(name);
      publish();
    },
    async breakListing() {
      site.fails = 502;
      return async () => {
        site.fails = undefined;
      };
    },
    close: async () => site[Symbol.asyncDispose](),
  };
});

test.each([
  [
    'Atom',
    `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>f</id><updated>2026-01-01T00:00:00Z</updated><entry><id>urn:1</id>
     <title>发票 &amp; more</title><link rel="self" href="https://x/self"/><link href="https://x/1"/><updated>2026-01-02T00:00:00Z</updated>
     <content type="text">a &lt; b</content></entry></feed>`,
    ['urn:1', 'https://x/1', '发票 &amp; more', 'a &lt; b', '2026-01-02T00:00:00.000Z'],
  ],
  [
    'RDF',
    `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel rdf:about="u">
     <title>T</title></channel><item rdf:about="https://x/r"><title>R</title><link>https://x/r</link><description>text</description></item></rdf:RDF>`,
    ['https://x/r', 'https://x/r', 'R', 'text', ''],
  ],
  [
    'JSON Feed',
    JSON.stringify({
      version: 'https://jsonfeed.org/version/1.1',
      title: 'T',
      items: [
        {
          id: '7',
          url: 'javascript:alert(1)',
          title: 'J',
          content_html: '<p>text</p>',
          date_modified: '2026-03-01T00:00:00Z',
        },
      ],
    }),
    ['7', '', 'J', '<p>text</p>', '2026-03-01'],
  ],
])('reads %s', async (_, body, [id = '', url, ...texts]) => {
  await using site = await startTestSite();
  site.pages.set('/feed', { body, type: 'application/xml' });
  const source = await openTestSource('rss', { urls: [`${site.url}/feed`] });
  for await (const { entries } of source.changes('', never)) expect(entries.map((entry) => entry.id)).toEqual([id]);
  const found = await source.fetch(id, '', never);
  expect(found).toMatchObject({ kind: 'content', content: { url } });
  const html = found.kind === 'content' ? Buffer.from(found.content.bytes).toString() : '';
  for (const text of texts) expect(html).toContain(text);
  await source.close();
});
