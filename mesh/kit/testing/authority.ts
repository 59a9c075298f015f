import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate with its key, and the roots that its owner trusts; PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

/** Signs certificates with openssl. Its files are in a folder; each root is a pair `<name>.pem`, `<name>.key`. */
export interface Authority {
  /** Returns a certificate for a name: "URI:spiffe://…", "DNS:…". */
  issue(subjectAltName: string): Identity;
  /** Begins the replacement of the root: the new one is trusted beside the old one. */
  introduceRoot(): void;
  /** Signs with the new root from now on. */
  switchRoot(): void;
  /** Ends the replacement: the old root is trusted no more. */
  retireRoot(): void;
}

/** Creates an authority with a first root. */
export function createAuthority(folder: string): Authority {
  mkdirSync(folder, { recursive: true });
  let rootCount = 0;
  let certificateCount = 0;
  const path = (name: string) => join(folder, name);
  const create = (name: string, args: readonly string[]) => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path(`${name}.key`)];
    const common = ['req', '-x509', ...key, '-out', path(`${name}.pem`), '-days', '1', ...args];
    execFileSync('openssl', common, { stdio: ['ignore', 'ignore', 'pipe'] });
    return name;
  };
  const newRoot = () =>
    create(`root-${++rootCount}`, ['-subj', `/CN=mesh lab ${rootCount}`, '-addext', 'keyUsage=critical,keyCertSign']);
  let signer = newRoot();
  let next = signer;
  let roots = [signer];
  return {
    issue(subjectAltName) {
      const name = `identity-${++certificateCount}`;
      const by = ['-CA', path(`${signer}.pem`), '-CAkey', path(`${signer}.key`)];
      const names = ['-subj', '/O=mesh lab', '-addext', `subjectAltName=${subjectAltName}`];
      const usage = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=critical,digitalSignature'];
      create(name, [...by, ...names, ...usage, '-addext', 'extendedKeyUsage=serverAuth,clientAuth']);
      return {
        certificate: readFileSync(path(`${name}.pem`), 'utf8'),
        key: readFileSync(path(`${name}.key`), 'utf8'),
        roots: roots.map((root) => readFileSync(path(`${root}.pem`), 'utf8')).join(''),
      };
    },
    introduceRoot() {
      next = newRoot();
      roots = [...roots, next];
    },
    switchRoot() {
      signer = next;
    },
    retireRoot() {
      roots = [signer];
    },
  };
}

/** An account of Kubernetes, which is an identity of the mesh. */
export interface Account {
  readonly namespace: string;
  readonly account: string;
}

/** Returns the certificate of an account. */
export function issueFor(authority: Authority, { namespace, account }: Account, trustDomain: string): Identity {
  return authority.issue(`URI:spiffe://${trustDomain}/ns/${namespace}/sa/${account}`);
}

/** Writes new certificates of accounts, as the control plane reads them. */
export function writeIdentities(
  authority: Authority,
  accounts: readonly Account[],
  trustDomain: string,
  folder: string,
): void {
  mkdirSync(folder, { recursive: true });
  for (const each of accounts) {
    const identity = issueFor(authority, each, trustDomain);
    writeFileSync(join(folder, `${each.namespace}.${each.account}.json`), JSON.stringify(identity));
  }
}

/** Returns the Secret by which the ingress gateway shows a certificate to clients. */
export function tlsSecret(namespace: string, { certificate, key }: Pick<Identity, 'certificate' | 'key'>): object {
  const text = (value: string) => Buffer.from(value).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'ragmesh-tls', namespace },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': text(certificate), 'tls.key': text(key) },
  };
}
