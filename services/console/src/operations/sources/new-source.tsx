import { useMutation } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { linkTo } from '../../state/sections.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { PageHead } from '../ui/page-head.tsx';
import { SourceForm } from './source-form.tsx';

/** Defines a source. */
export function NewSource() {
  const texts = useOperationTexts();
  const queries = useQueryClient();
  const create = useMutation(SourceService.method.createSource, {
    onSuccess: async ({ source }) => {
      await queries.invalidateQueries();
      window.location.hash = source === undefined ? linkTo('sources') : linkTo('sources', 'source', source.sourceId);
    },
  });
  return (
    <>
      <PageHead title={texts.sources.createTitle} back={{ href: linkTo('sources'), label: texts.sources.title }} />
      <SourceForm
        action={texts.sources.create}
        onSubmit={(settings) => create.mutate({ settings })}
        isBusy={create.isPending}
        error={create.error}
      />
    </>
  );
}
