import { type ReactNode, useMemo } from 'react';
import { Collection } from 'react-aria-components/Collection';
import { Cell, Column, Row, Table, TableBody, TableHeader, TableLoadMoreItem } from 'react-aria-components/Table';
import { TableLayout, Virtualizer } from 'react-aria-components/Virtualizer';
import { useMedia } from '../../hooks/use-media.ts';
import { useOperationTexts } from '../i18n/index.ts';

/** A column of a table. */
export interface DataColumn<Item> {
  id: string;
  name: string;
  cell: (item: Item) => ReactNode;
  /** Width as a share of the table ("2fr") or in pixels. */
  width: `${number}fr` | number;
  /** Whether it is shown on a phone as well. */
  isImportant?: boolean;
}

/** Heights of the head and of the line below the last row, in pixels. */
const headingHeight = 36;
const loaderHeight = 40;
/** Least height of a table whose rows do not fit, in pixels. */
const leastHeight = 260;
const borders = 2;

interface DataTableProps<Item> {
  label: string;
  columns: readonly DataColumn<Item>[];
  items: readonly Item[];
  idOf: (item: Item) => string;
  /** What a row is called when it is read aloud. */
  nameOf: (item: Item) => string;
  /** The place to which a row leads. */
  hrefOf?: (item: Item) => string;
  /** Reads the next items; absent if there are none. */
  onMore?: (() => void) | undefined;
  isLoadingMore?: boolean;
  rowHeight?: number;
  testId: string;
}

/** A table of any length: only the rows in view are in the page. Rows are chosen by arrow keys and opened by Enter or a click. */
export function DataTable<Item extends object>(props: DataTableProps<Item>) {
  const { label, items, idOf, nameOf, hrefOf, onMore, isLoadingMore = false, rowHeight = 56, testId } = props;
  const texts = useOperationTexts();
  const isNarrow = useMedia('(max-width: 760px)');
  const columns = useMemo(
    () => props.columns.filter(({ isImportant = false }) => !isNarrow || isImportant),
    [props.columns, isNarrow],
  );
  const first = columns[0]?.id;
  const height = headingHeight + items.length * rowHeight + (onMore === undefined ? 0 : loaderHeight) + borders;
  return (
    <Virtualizer layout={TableLayout} layoutOptions={{ rowHeight, headingHeight, loaderHeight }}>
      <Table
        aria-label={label}
        className="data-table"
        style={{ flexBasis: height, minHeight: Math.min(height, leastHeight) }}
        data-testid={testId}
        onRowAction={(key) => {
          const item = items.find((candidate) => idOf(candidate) === key);
          if (item !== undefined && hrefOf !== undefined) window.location.hash = hrefOf(item);
        }}
      >
        <TableHeader columns={columns as DataColumn<Item>[]}>
          {(column) => (
            <Column id={column.id} isRowHeader={column.id === first} width={column.width} className="data-column">
              {column.name}
            </Column>
          )}
        </TableHeader>
        <TableBody>
          <Collection items={items} dependencies={[columns]}>
            {(item) => (
              <Row id={idOf(item)} textValue={nameOf(item)} columns={columns} className="data-row">
                {(column) => (
                  <Cell className="data-cell">
                    <Content column={column} item={item} />
                  </Cell>
                )}
              </Row>
            )}
          </Collection>
          {onMore !== undefined && (
            <TableLoadMoreItem onLoadMore={onMore} isLoading={isLoadingMore} className="data-more">
              {texts.loading}
            </TableLoadMoreItem>
          )}
        </TableBody>
      </Table>
    </Virtualizer>
  );
}

/** What a cell shows. A component of its own, so that it is made for rows in view only: the table makes the cells of all rows that are read. */
function Content<Item>({ column, item }: { column: DataColumn<Item>; item: Item }) {
  return column.cell(item);
}
