import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { SearchBox } from '../ui/search-box.tsx';

interface DocumentFiltersProps {
  language: Language;
  isDue: boolean;
  onLanguage: (language: Language) => void;
  onDue: (isDue: boolean) => void;
  onOwner: (owner: string) => void;
  onGroup: (group: string) => void;
}

/** Chooses which documents of a corpus are shown. */
export function DocumentFilters({ language, isDue, onLanguage, onDue, onOwner, onGroup }: DocumentFiltersProps) {
  const { filters: texts } = useOperationTexts().documents;
  return (
    <search className="filters" aria-label={texts.name}>
      <SearchBox label={texts.owner} onSearch={onOwner} testId="filter-owner" />
      <SearchBox label={texts.group} onSearch={onGroup} testId="filter-group" />
      <Choice
        label={texts.language}
        isLabelHidden
        value={String(language)}
        options={[Language.UNSPECIFIED, Language.ZH, Language.EN].map((value) => ({
          value: String(value),
          label: texts.languages[value] as string,
        }))}
        onChange={(value) => onLanguage(Number(value) as Language)}
        testId="filter-language"
      />
      <Choice
        label={texts.review}
        isLabelHidden
        value={isDue ? 'due' : 'all'}
        options={[
          { value: 'all', label: texts.anyReview },
          { value: 'due', label: texts.due },
        ]}
        onChange={(review) => onDue(review === 'due')}
        testId="filter-review"
      />
    </search>
  );
}
