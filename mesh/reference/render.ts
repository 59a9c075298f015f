import { renderObservability } from '../observability/render.ts';
import { services } from '../run.ts';
import { renderClientContracts } from './client-contracts.ts';
import { renderErrors } from './errors.ts';
import { renderFigure } from './figure.ts';
import { buildImage, writeOrCheck } from './generated-files.ts';
import { renderMetrics } from './metrics.ts';
import { renderServiceConfig } from './service-config.ts';

// `npm run reference:render`: the pages that are generated from the code. With `--check`, it writes nothing and names the files that
// differ.

/** Returns the text of every generated page, by its path in the repository. */
export async function renderReference(): Promise<Map<string, string>> {
  return new Map([
    ['deployments/architecture.svg', renderFigure(services)],
    ['deployments/METRICS.md', await renderMetrics()],
    ...renderObservability(),
    ['mesh/client/contracts.ts', renderClientContracts(services)],
    ['proto/service-config.json', renderServiceConfig(services)],
    ['proto/ERRORS.md', renderErrors(buildImage('proto/ragmesh/common'))],
  ]);
}

if (import.meta.main) process.exitCode = writeOrCheck(await renderReference(), process.argv);
