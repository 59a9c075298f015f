import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { findGo } from '../../../conformance/suite.ts';

const source = fileURLToPath(new URL('../go-kube/', import.meta.url));

/**
 * Returns the definitions of custom resources: those of Istio and the Gateway API as the Go modules of the lab bring them, and those of operators from a
 * folder. Without them, objects of their kinds are not applied, and named.
 */
export function readDefinitions(operators?: string): object[] {
  const istio = join(folderOf('istio.io/istio'), 'manifests/charts/base/files/crd-all.gen.yaml');
  const gateway = yamlFiles(join(folderOf('sigs.k8s.io/gateway-api'), 'config/crd/standard'));
  const others = operators === undefined ? [] : yamlFiles(operators).filter((path) => !/istio|gateway-api/.test(path));
  return [istio, ...gateway, ...others].flatMap((path) =>
    parseAllDocuments(readFileSync(path, 'utf8'))
      .map((document) => document.toJS() as { kind?: string } | null)
      .filter((object): object is { kind: string } => object?.kind === 'CustomResourceDefinition'),
  );
}

function folderOf(goModule: string): string {
  const go = findGo();
  if (go === undefined) throw new Error('Go is not installed: it holds the definitions of custom resources');
  return execFileSync(go, ['list', '-m', '-f', '{{.Dir}}', goModule], { cwd: source, encoding: 'utf8' }).trim();
}

function yamlFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name));
}
