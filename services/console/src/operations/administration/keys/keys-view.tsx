import type { SectionProps } from '../../section.ts';
import { KeyForm } from './key-form.tsx';
import { KeyList } from './key-list.tsx';
import { KeyPage } from './key-page.tsx';

/** `/administration/keys`, `…/of/<tenant>`, `…/new`, `…/key/<id>[/<tenant>]`: API keys and service accounts. */
export function KeysView({ parts, roles }: SectionProps) {
  const [what, first = '', second = ''] = parts;
  if (what === 'new') return <KeyForm roles={roles} />;
  if (what === 'key') return <KeyPage key={`${second}/${first}`} id={first} tenant={second} />;
  return <KeyList key={first} tenant={what === 'of' ? first : ''} roles={roles} />;
}
