import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { Text } from 'react-aria-components/Text';
import { TextArea } from 'react-aria-components/TextArea';
import { TextField } from 'react-aria-components/TextField';

interface FieldProps {
  label: string;
  hint?: string;
  value: string;
  onChange: (value: string) => void;
  /** Lines of a longer text; absent: one line. */
  rows?: number;
  /** What the browser offers to choose. */
  type?: 'text' | 'date';
  isRequired?: boolean;
  isDisabled?: boolean;
  testId?: string;
}

/** A field with its label and a hint. */
export function Field({
  label,
  hint,
  value,
  onChange,
  rows,
  type = 'text',
  isRequired = false,
  isDisabled = false,
  testId,
}: FieldProps) {
  const id = testId === undefined ? {} : { 'data-testid': testId };
  return (
    <TextField
      className="field"
      type={type}
      value={value}
      onChange={onChange}
      isRequired={isRequired}
      isDisabled={isDisabled}
    >
      <Label className="field-label">{label}</Label>
      {rows === undefined ? <Input className="input" {...id} /> : <TextArea className="input" rows={rows} {...id} />}
      {hint !== undefined && (
        <Text slot="description" className="field-hint">
          {hint}
        </Text>
      )}
    </TextField>
  );
}
