import { afterEach, describe, expect, test } from 'vitest';
import { sourceSuite } from '../../../suites/source.suite.ts';
import { openTestSource } from '../../../testing/source-deps.ts';
import { htmlPage, startTestSite, type TestSite } from '../../../testing/test-site.ts';
import { readSitemap } from './sitemap.ts';

const never = new AbortController().signal;
let site: TestSite | undefined;
afterEach(async () => {
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

const sitemapOf = (url: string, paths: readonly string[]) =>
  `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${paths.map((path) => `<url><loc>${url}${path}</loc></url>`).join('')}</urlset>`;

for (const crawl of ['never', 'always'] as const) {
  sourceSuite(crawl === 'never' ? 'web (sitemap)' : 'web (links)', async () => {
    const place = await startTestSite();
    const names = new Set<string>();
    const publish = () => {
      const paths = [...names].map((name) => `/${name}.html`);
      if (crawl === 'always') place.pages.set('/', htmlPage('Start', paths, '<meta name="robots" content="noindex">'));
      else place.pages.set('/sitemap.xml', { body: sitemapOf(place.url, paths), type: 'application/xml' });
    };
    return {
      open: () => openTestSource('web', { start_urls: [place.url], crawl, include: ['/a', '/b', '/c', '/d'] }),
      async put(name, text) {
        names.add(name);
        place.pages.set(`/${name}.html`, htmlPage(text));
        publish();
        return `${place.url}/${name}.html`;
      },
      async remove(name) {
        names.delete(name);
        place.pages.delete(`/${name}.html`);
        publish();
      },
      async breakListing() {
        place.fails = 500;
        return async () => {
          place.fails = undefined;
        };
      },
      close: async () => place[Symbol.asyncDispose](),
    };
  });
}

/** Opens a source of the site, and returns what it lists and reads. */
async function read(settings: object, more: Parameters<typeof openTestSource>[2] = {}) {
  const source = await openTestSource('web', { start_urls: [`${site?.url}/`], ...settings }, more);
  const entries: Record<string, string> = {};
  let problem = '';
  try {
    for await (const page of source.changes('', never)) {
      for (const { id } of page.entries) {
        const found = await source.fetch(id, '', never);
        entries[id.replace(site?.url ?? '', '')] =
          found.kind === 'content' ? found.content.url.replace(site?.url ?? '', '') : found.kind;
      }
    }
  } catch (error) {
    problem = String(error);
  }
  await source.close();
  return { entries, problem };
}

describe('the pages of a site', () => {
  test('are those of all sitemaps that robots.txt names, compressed or not, without what it forbids', async () => {
    site = await startTestSite();
    const { url, pages } = site;
    const robots = `User-agent: *\nDisallow: /private\nSitemap: ${url}/index.xml`;
    pages.set('/robots.txt', { body: robots, type: 'text/plain' });
    const inner = ['a.xml', 'b.xml.gz'].map((name) => `<sitemap><loc>${url}/${name}</loc></sitemap>`).join('');
    pages.set('/index.xml', { body: `<sitemapindex>${inner}</sitemapindex>` });
    pages.set('/a.xml', { body: sitemapOf(url, ['/a', '/private/x', '/a#part', '/a?utm_source=x']) });
    pages.set('/b.xml.gz', { body: sitemapOf(url, ['/b']), isZipped: true });
    for (const path of ['/a', '/b', '/private/x']) pages.set(path, htmlPage(path));
    expect((await read({})).entries).toEqual({ '/a': '/a', '/b': '/b' });
    expect(site.requests.every(({ agent }) => agent === 'ragmesh')).toBe(true);
    expect(Object.keys((await read({ respect_robots: false, sitemaps: [`${url}/a.xml`] })).entries)).toContain(
      '/private/x',
    );
  });

  test('are those that links lead to, within depth, hosts and paths', async () => {
    site = await startTestSite();
    const { url, pages } = site;
    const away = ['https://other.example/x', 'mailto:a@b', 'javascript:alert(1)', `http://user:pw@${url.slice(7)}/y`];
    pages.set('/', htmlPage('start', ['/help/a', 'help/b', '/shop/x', '/gone', ...away]));
    pages.set('/help/a', htmlPage('a', ['c']));
    pages.set('/help/b', htmlPage('b', [], '<base href="/help/deep/">'));
    pages.set('/help/c', htmlPage('c', ['/help/d']));
    pages.set('/help/d', htmlPage('d'));
    pages.set('/shop/x', htmlPage('x', ['/help/e']));
    pages.set('/help/e', htmlPage('e'));
    const { entries, problem } = await read({ max_depth: 2, include: ['/help'], exclude: ['/help/b'] });
    expect(problem).toBe('');
    expect(Object.keys(entries).sort()).toEqual(['/help/a', '/help/c', '/help/e']);
    // Each page was read once, for its links and its text.
    expect(site.requests.filter(({ path }) => path === '/help/a')).toHaveLength(1);
  });

  test('are read under the address that they prefer, and not at all if they say so', async () => {
    site = await startTestSite();
    const { url, pages } = site;
    const canonical = (path: string) => `<link rel="canonical" href="${path}">`;
    const paths = ['/a', '/a-copy', '/print', '/old', '/hidden', '/header', '/film', '/moved', '/evil'];
    pages.set('/sitemap.xml', { body: sitemapOf(url, paths) });
    pages.set('/a', htmlPage('a', [], canonical(`${url}/a`)));
    pages.set('/a-copy', htmlPage('a', [], canonical('/a')));
    pages.set('/print', htmlPage('p', [], canonical('/only-canonical')));
    pages.set('/old', { body: '', status: 301, headers: { location: '/new' } });
    pages.set('/new', htmlPage('new'));
    pages.set('/hidden', htmlPage('h', [], '<meta name="robots" content="noindex,follow">'));
    pages.set('/header', { ...htmlPage('h'), headers: { 'x-robots-tag': 'none' } });
    pages.set('/film', { body: 'film', type: 'video/mp4' });
    pages.set('/moved', { body: '', status: 302, headers: { location: '/a' } });
    pages.set('/evil', htmlPage('e', [], canonical('https://other.example/e')));
    const gone = 'gone';
    expect((await read({})).entries).toEqual({
      '/a': '/a',
      '/a-copy': gone,
      '/print': '/only-canonical',
      '/old': '/new',
      '/hidden': gone,
      '/header': gone,
      '/film': gone,
      '/moved': gone,
      '/evil': '/evil',
    });
  });

  test('are not complete if one of them or a sitemap cannot be read, or if they are too many', async () => {
    site = await startTestSite();
    const { url, pages } = site;
    pages.set('/', htmlPage('start', ['/a', '/b']));
    pages.set('/a', { ...htmlPage('a'), status: 500 });
    pages.set('/b', htmlPage('b'));
    const broken = await read({});
    expect(broken.entries).toEqual({ '/': '/', '/b': '/b' });
    expect(broken.problem).toContain('1 pages could not be listed');
    expect((await read({ max_pages: 1 })).problem).toContain('more than 1 pages');
    pages.set('/robots.txt', { body: `Sitemap: ${url}/cut.xml`, type: 'text/plain' });
    pages.set('/cut.xml', { body: '<urlset><url><loc>' });
    expect((await read({})).problem).toContain('cannot be read');
    pages.set('/robots.txt', { body: '', status: 503, headers: { 'retry-after': '7' } });
    expect((await read({})).problem).toContain('429');
  });

  test('are not read from other hosts, whatever robots.txt, sitemap and redirects say', async () => {
    site = await startTestSite();
    await using inner = await startTestSite();
    inner.pages.set('/', htmlPage('secret'));
    const { url, pages } = site;
    pages.set('/sitemap.xml', { body: sitemapOf('', [`${inner.url}/`, `${url}/a`]) });
    pages.set('/a', { body: '', status: 302, headers: { location: `${inner.url}/` } });
    const allow = [new URL(url).host];
    const { entries } = await read({}, { allow }).catch((error: unknown) => ({ entries: { error: String(error) } }));
    expect(inner.requests).toEqual([]);
    expect(JSON.stringify(entries)).not.toContain('secret');
  });
});

test('a sitemap that is too large when it is inflated, or is another document, is refused', () => {
  for (const text of ['', '<html></html>', '<urlset>', 'x']) expect(() => readSitemap(Buffer.from(text))).toThrow();
  const pages = readSitemap(
    Buffer.from(
      '<s:urlset xmlns:s="u"><s:url><s:loc> https://x/ </s:loc><s:lastmod>2026-01-01</s:lastmod></s:url></s:urlset>',
    ),
  );
  expect(pages).toEqual({ pages: [{ url: 'https://x/', lastmod: '2026-01-01' }], sitemaps: [] });
});
