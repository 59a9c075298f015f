import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { publicNeeds } from '#kit/host/reach.ts';

/** Columns of the figure, in the order in which a question meets them. A service in none goes to the last. */
const columns: readonly (readonly string[])[] = [
  ['edge', 'privacy'],
  ['chat', 'evaluation', 'indexer'],
  ['audit', 'llm-gateway', 'cache', 'retrieval'],
  ['rerank', 'embedding'],
];

/** Calls of the edge that the figure draws. */
const drawnFromEdge = ['chat', 'evaluation', 'indexer'];

const box = { width: 136, height: 44, columnGap: 96, rowGap: 46, margin: 28, head: 56 };

interface Place {
  readonly x: number;
  readonly y: number;
}

/** An arrow of the figure: `from` calls `to`; a dashed one is a call that settings ask for. */
interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly isOptional: boolean;
}

/** Returns who calls whom, by the `needs` and `optionalNeeds` of each service and the public methods that it serves for others. */
export function arrowsOf(services: readonly ServiceDefinition[]): Arrow[] {
  const owners = new Map(services.flatMap(({ name, contracts }) => contracts.map(({ typeName }) => [typeName, name])));
  return services.flatMap((service) => {
    const { name, needs, optionalNeeds = {} } = service;
    const arrows = [
      ...[...Object.values(needs), ...publicNeeds(service, services)].map(({ contract }) => ({
        from: name,
        to: owners.get(contract.typeName) ?? '',
        isOptional: false,
      })),
      ...Object.values(optionalNeeds).map(({ contract }) => ({
        from: name,
        to: owners.get(contract.typeName) ?? '',
        isOptional: true,
      })),
    ];
    return arrows.filter(
      ({ to }, index) => to !== '' && to !== name && arrows.findIndex((other) => other.to === to) === index,
    );
  });
}

/** Returns the figure of the services and their calls as SVG, readable on light and dark pages. */
export function renderFigure(services: readonly ServiceDefinition[]): string {
  const places = placesOf(services.map(({ name }) => name));
  const arrows = arrowsOf(services);
  const exposed = new Set(arrows.filter(({ from }) => from === 'edge').map(({ to }) => to));
  const width = Math.max(...[...places.values()].map(({ x }) => x)) + box.width + box.margin;
  const height = Math.max(...[...places.values()].map(({ y }) => y)) + box.height + box.margin;
  const drawn = arrows.filter(({ from, to }) => from !== 'edge' || drawnFromEdge.includes(to));
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="The services of ragmesh and the calls between them">`,
    '<style>text{font:14px system-ui,sans-serif;fill:#16324f}.note{font-size:12px;fill:#5a6b7b}.box{fill:#eef4fb;stroke:#2b6cb0;stroke-width:1.5}.edge{fill:#d7e8fb}.call{fill:none;stroke:#5a6b7b;stroke-width:1.4}.optional{stroke-dasharray:5 4}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9fb0c0}.box{fill:#15273b;stroke:#5fa8f5}.edge{fill:#1d3b5c}.call{stroke:#9fb0c0}}</style>',
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#7d8b99"/></marker></defs>',
    `<text class="note" x="${box.margin}" y="24">Clients reach the edge by Connect, gRPC-Web, gRPC, SSE and OpenAI; it also exposes public methods of ${exposed.size - drawnFromEdge.length} more services</text>`,
    `<text class="note" x="${box.margin}" y="42">solid: always called · dashed: called when settings ask for it</text>`,
    ...drawn.map((arrow) => pathOf(arrow, places)),
    ...[...places].map(([name, place]) => boxOf(name, place)),
    '</svg>',
  ].join('\n')}\n`;
}

function placesOf(names: readonly string[]): Map<string, Place> {
  const known = new Set(columns.flat());
  const last = columns.length - 1;
  const all = columns.map((column, index) => [
    ...column.filter((name) => names.includes(name)),
    ...(index === last ? names.filter((name) => !known.has(name)) : []),
  ]);
  const tallest = Math.max(...all.map((column) => column.length));
  return new Map(
    all.flatMap((column, columnIndex) =>
      column.map((name, row): [string, Place] => {
        const step = box.height + box.rowGap;
        const top = box.margin + box.head + ((tallest - column.length) * step) / 2;
        return [name, { x: box.margin + columnIndex * (box.width + box.columnGap), y: top + row * step }];
      }),
    ),
  );
}

function boxOf(name: string, { x, y }: Place): string {
  const kind = name === 'edge' ? 'box edge' : 'box';
  return `<rect class="${kind}" x="${x}" y="${y}" width="${box.width}" height="${box.height}" rx="8"/><text x="${x + box.width / 2}" y="${y + 27}" text-anchor="middle">${name}</text>`;
}

function pathOf({ from, to, isOptional }: Arrow, places: ReadonlyMap<string, Place>): string {
  const start = places.get(from);
  const end = places.get(to);
  if (start === undefined || end === undefined) return '';
  const kind = isOptional ? 'call optional' : 'call';
  const midStart = start.y + box.height / 2;
  const midEnd = end.y + box.height / 2;
  if (end.x === start.x) {
    const side = start.x + box.width;
    return `<path class="${kind}" marker-end="url(#tip)" d="M${side} ${midStart}C${side + 44} ${midStart} ${side + 44} ${midEnd} ${side} ${midEnd}"/>`;
  }
  const isRight = end.x > start.x;
  const x1 = isRight ? start.x + box.width : start.x;
  const x2 = isRight ? end.x : end.x + box.width;
  const bend = (x2 - x1) / 2;
  return `<path class="${kind}" marker-end="url(#tip)" d="M${x1} ${midStart}C${x1 + bend} ${midStart} ${x2 - bend} ${midEnd} ${x2} ${midEnd}"/>`;
}
