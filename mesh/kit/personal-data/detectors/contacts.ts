import ipaddr from 'ipaddr.js';
import { contextBefore, type Detector, type Finding, findAll } from './detector.ts';

const localMax = 64;
const domain = /(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,5}[A-Za-z]{2,24}(?![A-Za-z0-9-])/y;
const localPart = /[A-Za-z0-9_+%'.-]/;
/** A user with a password in a URL, or a name of a protocol (`ssh-rsa-cert-v01@openssh.com`). */
const credentials = /:\/\/[^\s"'`]{0,60}$|-v\d\d$/;

/** Domains that belong to no one (RFC 2606, RFC 6761). */
const reserved =
  /(?:^|\.)example\d?[a-z]{0,8}\.|(?:^|\.)(?:test|x{2,6})\.com$|\.(?:example|test|invalid|localhost|local)$/i;
/** Endings of files, in names such as `photo@2x.png`. */
const file = /\.(?:bmp|css|format|gif|html?|jpe?g|js|json|md|pdf|png|svg|ts|webp|xml|ya?ml)$/i;
/** Mailboxes of a function and not of a person (RFC 2142, and those that companies publish). */
const functions =
  /(?:^|[._-]|\b[a-z]{1,3})(?:abuse|admin|administrator|billing|careers|contact|customer\.?service|enquir(?:y|ies)|feedback|git|help(?:desk)?|hostmaster|hr|info|jobs|legal|mail|mailer-daemon|marketing|media|news|no-?reply|noc|office|postmaster|press|privacy|root|sales|security|service|support|sysadmin|team|webmaster|xxx*|abc|123|a|foo|bar|1234567890|zhangsan|lisi|wangwu|your_?name|username|user|name|email|test|example|supervise|notice|complaints?|sdk)\d{0,2}$/i;

/** Finds e-mail addresses, except of functions (RFC 2142) and reserved domains (RFC 2606). */
export const findEmails: Detector = (text) => {
  const found: Finding[] = [];
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    domain.lastIndex = at + 1;
    const match = domain.exec(text);
    if (match === null) continue;
    let start = at;
    while (start > 0 && at - start < localMax && localPart.test(text[start - 1] ?? '')) start--;
    // A sentence, a quotation or a list may end before the address.
    while (start < at && /['.%+-]/.test(text[start] ?? '')) start++;
    const local = text.slice(start, at);
    if (
      local === '' ||
      text[start - 1] === '*' ||
      file.test(match[0]) ||
      functions.test(local) ||
      reserved.test(match[0]) ||
      /^service\./i.test(match[0])
    )
      continue;
    if (credentials.test(contextBefore(text, at, 96))) continue;
    found.push({ kind: 'EMAIL', start, end: at + 1 + match[0].length });
  }
  return found;
};

const ipv4 = /(?<![\d.A-Za-z/-])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d|\/\d|[A-Za-z*])/g;
const ipv6 =
  /(?<![\dA-Za-z:.])(?:[\dA-Fa-f]{1,4}:){2,7}(?:[\dA-Fa-f]{1,4}|:)(?::[\dA-Fa-f]{1,4}){0,6}(?![\dA-Za-z:/])/g;
/** Of a person: an address alone is most often one of a server. */
const ipContext =
  /(?:\bmy|\bhis|\bher|customer's|user's|visitor's|logged in|signed in|registered|ordered|paid)\W{1,3}(?:\w{1,12}\W{1,3}){0,3}ip\b|(?:ip|getting) address(?: is)?\s$|(?:我的?|本机|本人|用户的?|客户的|登[录陆]时?的?|访客|下单)(?:公网|外网)?ip/i;
/** Addresses of public resolvers, and those of examples. */
const wellKnown =
  /^(?:1\.1\.1\.1|1\.0\.0\.1|1\.2\.3\.4|8\.8\.8\.8|8\.8\.4\.4|9\.9\.9\.9|114\.114\.114\.114|223\.[56]\.[56]\.[56]|119\.29\.29\.29)$/;

/** Finds public IP addresses after words that make them one of a person. */
export const findIpAddresses: Detector = (text) => {
  const isPersonal = (value: string, start: number) =>
    !wellKnown.test(value) &&
    ipaddr.isValid(value) &&
    ipaddr.parse(value).range() === 'unicast' &&
    ipContext.test(contextBefore(text, start, 48).replace(/^.*[;。\n]/s, ''));
  const found = findAll(text, 'IP_ADDRESS', ipv4, isPersonal);
  return text.includes(':') ? [...found, ...findAll(text, 'IP_ADDRESS', ipv6, isPersonal)] : found;
};
