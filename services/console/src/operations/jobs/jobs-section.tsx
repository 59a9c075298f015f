import type { SectionProps } from '../section.ts';
import { JobList } from './job-list.tsx';
import { JobPage } from './job-page.tsx';

/** `/jobs`, `/jobs/<id>`. */
export function JobsSection({ parts }: SectionProps) {
  const [jobId] = parts;
  return jobId === undefined ? <JobList /> : <JobPage key={jobId} jobId={jobId} />;
}
