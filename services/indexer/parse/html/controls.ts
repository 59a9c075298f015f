import type { Document, Element } from 'domhandler';
import { ancestorOf, elementsOf, isElement } from './tree.ts';

/** What opens the panels of a page: accordions, tabs, dialogs. A panel that is closed is content, because a reader can open it. */
export interface Controls {
  /** Reports whether a control opens the element. */
  isPanel(element: Element): boolean;
  /** Reports whether the element opens a panel. */
  isControl(element: Element): boolean;
  /** Returns the control whose words name the panel, if they are not a heading already; `undefined` otherwise. */
  controlOf(panel: Element): Element | undefined;
}

const panelNames =
  /(?:^|[\s_-])(?:accordion|collapse|collapsible|collapsed|tab-?pane|tab-?panel|faq|answer|expand(?:able)?)/i;
const headings = /^h[1-6]$/;
/** Texts and comments between a control and its panel. */
const textsBetweenMax = 10;

/** Finds the controls of a page. */
export function findControls(document: Document): Controls {
  const byTarget = new Map<string, Element>();
  const labels = new Map<string, Element>();
  for (const element of elementsOf(document)) {
    for (const id of targetsOf(element)) if (!byTarget.has(id)) byTarget.set(id, element);
    if (element.attribs.id !== undefined && element.attribs.role === 'tab') labels.set(element.attribs.id, element);
  }
  const namedControl = (panel: Element): Element | undefined => {
    const { id = '', 'aria-labelledby': label = '' } = panel.attribs;
    return byTarget.get(id) ?? labels.get(label);
  };
  return {
    isPanel(element) {
      if (namedControl(element) !== undefined || element.attribs.role === 'tabpanel') return true;
      return (
        controlBefore(element) !== undefined ||
        panelNames.test(`${element.attribs.class ?? ''} ${element.attribs.id ?? ''}`)
      );
    },
    isControl: (element) => targetsOf(element).length > 0 || isSwitch(element),
    controlOf(panel) {
      const control = namedControl(panel) ?? controlBefore(panel);
      if (control === undefined) return undefined;
      return ancestorOf(control, 5, ({ name }) => headings.test(name) || name === 'summary') === undefined
        ? control
        : undefined;
    },
  };
}

/** Returns the ids of elements that an element opens. */
function targetsOf({ name, attribs }: Element): string[] {
  if (attribs['aria-controls'] !== undefined) return attribs['aria-controls'].split(/\s+/).filter(Boolean);
  const target = attribs['data-bs-target'] ?? attribs['data-target'] ?? attribs.popovertarget ?? attribs.commandfor;
  if (target !== undefined) return [target.replace(/^#/, '')];
  const isLink =
    name === 'a' && (isSwitch({ attribs } as Element) || attribs.role === 'tab' || attribs.role === 'button');
  return isLink && attribs.href?.startsWith('#') === true && attribs.href.length > 1 ? [attribs.href.slice(1)] : [];
}

const isSwitch = ({ attribs }: Element) =>
  attribs['aria-expanded'] !== undefined ||
  attribs['data-toggle'] !== undefined ||
  attribs['data-bs-toggle'] !== undefined;

/** Returns the button right before an element, alone or in a heading. */
function controlBefore(element: Element): Element | undefined {
  let before = element.prev;
  for (let count = 0; before !== null && !isElement(before) && count < textsBetweenMax; count++) before = before.prev;
  if (before !== null && !isElement(before)) return undefined;
  if (before === null || before.name === 'nav') return undefined;
  if (isButton(before)) return before;
  const isHolder =
    headings.test(before.name) ||
    /(?:^|[\s_-])(?:accordion|toggle|header|question|title)/i.test(before.attribs.class ?? '');
  if (!isHolder) return undefined;
  for (const inner of elementsOf(before)) if (isButton(inner)) return inner;
  return undefined;
}

const isButton = (element: Element) =>
  element.name === 'button' || element.attribs.role === 'button' || isSwitch(element);
