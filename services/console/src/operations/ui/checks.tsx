import { Checkbox } from 'react-aria-components/Checkbox';
import { CheckboxGroup } from 'react-aria-components/CheckboxGroup';
import { Label } from 'react-aria-components/Label';
import { Text } from 'react-aria-components/Text';
import { Icon } from '../../components/icon.tsx';

interface ChecksProps {
  label: string;
  hint?: string;
  options: readonly { value: string; label: string }[];
  value: readonly string[];
  onChange: (value: string[]) => void;
  testId: string;
}

/** A choice of any of several values. */
export function Checks({ label, hint, options, value, onChange, testId }: ChecksProps) {
  return (
    <CheckboxGroup className="checks" value={[...value]} onChange={onChange} data-testid={testId}>
      <Label className="field-label">{label}</Label>
      <div className="checks-options">
        {options.map((option) => (
          <Checkbox key={option.value} value={option.value} className="check" data-testid={`${testId}-${option.value}`}>
            <span className="check-box">
              <Icon name="check" size={14} />
            </span>
            {option.label}
          </Checkbox>
        ))}
      </div>
      {hint !== undefined && (
        <Text slot="description" className="field-hint">
          {hint}
        </Text>
      )}
    </CheckboxGroup>
  );
}
