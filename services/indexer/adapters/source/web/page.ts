import { Parser } from 'htmlparser2';

/** What a page says about itself and others, without its text. */
export interface PageHead {
  /** Addresses of its links, as they are written. */
  links: string[];
  /** The address that it prefers; empty if it names none. */
  canonical: string;
  /** What links are relative to; empty: the address of the page. */
  base: string;
  isNoIndex: boolean;
  isNoFollow: boolean;
}

const linksMax = 5000;

/** Reads links and directives of a page of HTML. */
export function readPageHead(bytes: Uint8Array): PageHead {
  const head: PageHead = { links: [], canonical: '', base: '', isNoIndex: false, isNoFollow: false };
  const parser = new Parser({
    onopentag(name, { href = '', rel = '', name: about = '', content = '' }) {
      const rels = rel.toLowerCase().split(/\s+/);
      if (name === 'a' && href !== '' && !rels.includes('nofollow') && head.links.length < linksMax)
        head.links.push(href);
      if (name === 'base') head.base ||= href;
      if (name === 'link' && rels.includes('canonical')) head.canonical ||= href;
      if (name === 'meta' && about.toLowerCase() === 'robots') {
        head.isNoIndex ||= isDirective(content, 'noindex');
        head.isNoFollow ||= isDirective(content, 'nofollow');
      }
    },
  });
  // Names and addresses of markup are ASCII in every encoding that pages use.
  parser.write(new TextDecoder().decode(bytes));
  parser.end();
  return head;
}

/** Reports whether a list of robots directives has one; `none` has both. */
export function isDirective(list: string, name: 'noindex' | 'nofollow'): boolean {
  const words = list.toLowerCase().split(/[\s,]+/);
  return words.includes(name) || words.includes('none');
}

/** Parameters of addresses that say how a reader came to them. */
const tracking = /^(?:utm_\w+|gclid|fbclid|msclkid)$/;
const urlLengthMax = 1024;

/** Returns an address in the form in which pages are compared; `undefined` if it is none that can be read. */
export function pageUrl(href: string, base?: string): string | undefined {
  if (!URL.canParse(href, base)) return undefined;
  const url = new URL(href, base);
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  url.hash = '';
  for (const name of [...url.searchParams.keys()]) if (tracking.test(name)) url.searchParams.delete(name);
  return url.href.length <= urlLengthMax ? url.href : undefined;
}
