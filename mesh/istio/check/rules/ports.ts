import { at, hasLabels, listAt, placeOf, type ServicePort, titleOf } from '../cluster.ts';
import type { Rule } from './rule.ts';

/** Protocols by which a port's name may begin; the mesh guesses any other. */
const protocols = /^(grpc|grpc-web|http|http2|https|mongo|mysql|redis|tcp|tls|udp)(-[a-z0-9-]+)?$/;

/** KIA0601, KIA0701: ports name their protocol, and lead to ports that the pods have. */
export const ports: Rule = {
  name: 'every port of a Service names its protocol and is a port of its pods',
  find: (cluster) =>
    cluster.of('Service').flatMap((service) => {
      const { namespace } = placeOf(service);
      const selector = at(service.spec, 'selector');
      const pods = cluster.pods.filter((pod) => pod.namespace === namespace && hasLabels(selector, pod.labels));
      return listAt<ServicePort>(service.spec, 'ports').flatMap(({ name, port, targetPort = port }) => {
        const problems = protocols.test(name) ? [] : [`${titleOf(service)}: the port ${name} names no protocol`];
        const isThere = pods.every(({ containers }) =>
          containers.some(({ ports: own = [] }) =>
            own.some((one) => one.name === targetPort || one.containerPort === targetPort),
          ),
        );
        return isThere ? problems : [...problems, `${titleOf(service)}: its pods have no port ${targetPort}`];
      });
    }),
};
