import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Disclosure, DisclosurePanel } from 'react-aria-components/Disclosure';
import { Icon } from '../../../components/icon.tsx';
import { useOperationTexts } from '../../i18n/index.ts';
import { Choice } from '../../ui/choice.tsx';
import type { ChosenFile } from './dropped-files.ts';
import { type Encoding, encodings, meanings, previewTable, type TablePreview } from './table-preview.ts';
import type { FileOptions } from './use-upload.ts';

interface TableMappingProps {
  file: ChosenFile;
  options: FileOptions | undefined;
  onChange: (options: FileOptions) => void;
}

/** The beginning of a table, with its encoding and what its columns mean. */
export function TableMapping({ file, options, onChange }: TableMappingProps) {
  const texts = useOperationTexts();
  const [isOpen, setOpen] = useState(false);
  const [preview, setPreview] = useState<TablePreview>();
  const { encoding, columns } = options ?? { encoding: '', columns: {} };
  useEffect(() => {
    if (!isOpen) return;
    let isCurrent = true;
    previewTable(file.content, encoding as Encoding).then(
      (read) => isCurrent && setPreview(read),
      () => isCurrent && setPreview({ columns: [], rows: [], isDoubtful: true }),
    );
    return () => {
      isCurrent = false;
    };
  }, [isOpen, file, encoding]);
  const setMeaning = (column: string, meaning: string) => {
    const { [column]: _, ...others } = columns;
    onChange({ encoding, columns: meaning === '' ? others : { ...others, [column]: meaning } });
  };
  return (
    <Disclosure className="mapping" isExpanded={isOpen} onExpandedChange={setOpen}>
      <Button slot="trigger" className="link-button" data-testid="mapping">
        <Icon name="down_small" size={14} /> {texts.mapping.title}
      </Button>
      <DisclosurePanel>
        {preview !== undefined && (
          <div className="mapping-panel">
            <Choice
              label={texts.mapping.encoding}
              value={encoding as Encoding}
              options={encodings.map((value) => ({ value, label: value || texts.mapping.automatic }))}
              onChange={(chosen) => onChange({ encoding: chosen, columns })}
              testId="encoding"
            />
            {preview.isDoubtful && <p className="field-hint">{texts.mapping.doubtful}</p>}
            <div className="mapping-table">
              <table data-testid="table-preview">
                <thead>
                  <tr>
                    {preview.columns.map((column) => (
                      <th key={column} scope="col">
                        {column}
                        <Choice
                          label={texts.mapping.meaningOf(column)}
                          isLabelHidden
                          value={columns[column] ?? ''}
                          options={[
                            { value: '', label: texts.mapping.byName },
                            ...meanings.map((value) => ({ value, label: texts.mapping.meanings[value] })),
                          ]}
                          onChange={(meaning) => setMeaning(column, meaning)}
                        />
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {preview.rows.map((row) => (
                    <tr key={row.join('\u0001')}>
                      {preview.columns.map((column, at) => (
                        <td key={column}>{row[at]}</td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </div>
        )}
      </DisclosurePanel>
    </Disclosure>
  );
}
