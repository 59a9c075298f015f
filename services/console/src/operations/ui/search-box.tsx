import { useEffect, useState } from 'react';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { SearchField } from 'react-aria-components/SearchField';

/** How long the user has to pause before a search starts, in milliseconds. */
const pauseMs = 250;

/** A field to search with. `onSearch` gets its text when the user pauses. */
export function SearchBox({
  label,
  onSearch,
  testId,
}: {
  label: string;
  onSearch: (text: string) => void;
  testId: string;
}) {
  const [text, setText] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => onSearch(text.trim()), pauseMs);
    return () => clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <SearchField className="search-box" value={text} onChange={setText}>
      <Label className="hidden">{label}</Label>
      <Input className="input" placeholder={label} data-testid={testId} />
    </SearchField>
  );
}
