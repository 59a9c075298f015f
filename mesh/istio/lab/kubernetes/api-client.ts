import { Agent, request } from 'node:https';

/** An object as it is applied. */
interface Applied {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: { readonly name: string; readonly namespace?: string };
}

/** A client of the API of Kubernetes, as `kubectl apply --server-side` is one. */
export interface ApiClient {
  isReady(): Promise<boolean>;
  /** Whether the API serves the kind of an object. */
  serves(object: Applied): Promise<boolean>;
  /** Creates or changes an object. Throws what the API answers if it refuses it; unknown fields are refused. `part`: "status". */
  apply(object: object, part?: 'status'): Promise<void>;
  /** Throws what the API would answer if it refused an object, and changes nothing. */
  tryApply(object: object): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly body: { readonly message?: string; readonly resources?: readonly Resource[] };
}

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** Creates a client of the API server on a port of this host. */
export function createApiClient({ port, token }: { readonly port: number; readonly token: string }): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 8, rejectUnauthorized: false });
  const send = (method: string, path: string, body?: object): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const type = body && { 'content-type': 'application/apply-patch+yaml' };
      const headers = { authorization: `Bearer ${token}`, ...type };
      const sent = request({ host: '127.0.0.1', port, agent, method, path, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
      });
      sent.setTimeout(60_000, () => sent.destroy(new Error(`${method} ${path}: no reply in 60 s`)));
      sent.on('error', reject);
      // JSON is YAML.
      sent.end(body && JSON.stringify(body));
    });
  const known = new Map<string, readonly Resource[]>();
  const resourceOf = async ({ apiVersion, kind }: Applied): Promise<Resource | undefined> => {
    const find = () => known.get(apiVersion)?.find((each) => each.kind === kind && !each.name.includes('/'));
    if (find() === undefined) {
      const { body } = await send('GET', rootOf(apiVersion));
      known.set(apiVersion, body.resources ?? []);
    }
    return find();
  };
  const patch = async (given: object, { part = '', flags }: { part?: string; flags: string }) => {
    const object = given as Applied;
    const { name, namespace = 'default' } = object.metadata ?? { name: '' };
    const title = `${object.kind} ${namespace}/${name}`;
    const resource = await resourceOf(object);
    if (resource === undefined) throw new Error(`${title}: the API does not serve ${object.apiVersion} ${object.kind}`);
    const place = resource.namespaced ? `/namespaces/${namespace}` : '';
    const path = `${rootOf(object.apiVersion)}${place}/${resource.name}/${encodeURIComponent(name)}${part}`;
    const { status, body } = await send('PATCH', `${path}?force=true&fieldValidation=Strict&${flags}`, object);
    if (status !== 200 && status !== 201) throw new Error(`${title}: ${status} ${body.message}`);
  };
  return {
    isReady: () =>
      send('GET', '/readyz').then(
        ({ status }) => status === 200,
        () => false,
      ),
    serves: async (object) => (await resourceOf(object)) !== undefined,
    apply: (object, part) => patch(object, { flags: 'fieldManager=ragmesh', ...(part && { part: `/${part}` }) }),
    tryApply: (object) => patch(object, { flags: 'fieldManager=trial&dryRun=All' }),
  };
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function parsed(text: string): Reply['body'] {
  try {
    return JSON.parse(text) as Reply['body'];
  } catch {
    return { message: text };
  }
}
