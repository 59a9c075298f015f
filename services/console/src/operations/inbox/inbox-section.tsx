import type { SectionProps } from '../section.ts';
import { TopicList } from './topic-list.tsx';
import { TopicPage } from './topic-page.tsx';

/** `/inbox`, `/inbox/topic/<id>`. */
export function InboxSection({ parts, ...props }: SectionProps) {
  const [page, topicId] = parts;
  if (page === 'topic' && topicId !== undefined) return <TopicPage key={topicId} {...props} topicId={topicId} />;
  return <TopicList />;
}
