import { Button } from 'react-aria-components/Button';
import { Label } from 'react-aria-components/Label';
import { ListBox, ListBoxItem } from 'react-aria-components/ListBox';
import { Popover } from 'react-aria-components/Popover';
import { Select, SelectValue } from 'react-aria-components/Select';
import { Icon } from '../../components/icon.tsx';

interface ChoiceProps<Value extends string> {
  label: string;
  /** Whether the label is only read aloud. */
  isLabelHidden?: boolean;
  value: Value;
  options: readonly { value: Value; label: string }[];
  onChange: (value: Value) => void;
  testId?: string;
}

/** A choice of one of several values. */
export function Choice<Value extends string>(props: ChoiceProps<Value>) {
  const { label, isLabelHidden = false, value, options, onChange, testId } = props;
  return (
    <Select
      className="choice"
      selectedKey={value}
      onSelectionChange={(key) => onChange(key as Value)}
      {...(testId !== undefined && { 'data-testid': testId })}
    >
      <Label className={isLabelHidden ? 'hidden' : 'field-label'}>{label}</Label>
      <Button className="button choice-button">
        <SelectValue className="choice-value" />
        <Icon name="down_small" size={16} />
      </Button>
      <Popover className="choice-list">
        <ListBox>
          {options.map((option) => (
            <ListBoxItem
              key={option.value}
              id={option.value}
              className="choice-option"
              textValue={option.label}
              data-option={option.value}
            >
              {option.label}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}
