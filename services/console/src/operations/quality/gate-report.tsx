import { type GateReport, GateVerdict } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { useMessages } from '../../i18n/index.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Badge } from '../ui/badge.tsx';
import { PlainTable } from '../ui/plain-table.tsx';
import { findingLines } from './finding-lines.ts';

/** What a gate found: its checks, the figures of both versions, and the questions that became worse. */
export function GateReportView({ report }: { report: GateReport }) {
  const texts = useOperationTexts();
  const { tag } = useMessages();
  const figure = (value: number) => value.toLocaleString(tag, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
  const isPassed = report.verdict === GateVerdict.PASSED;
  return (
    <section className="findings gate-report" aria-label={texts.gate.title} data-testid="gate-report">
      <h3>
        {texts.gate.title}{' '}
        <Badge tone={isPassed ? 'good' : 'warning'}>{isPassed ? texts.gate.passed : texts.gate.held}</Badge>
      </h3>
      <ul>
        {report.checks.map((check, index) => (
          <li key={index}>
            <span className="strong">
              {texts.gate.checks[check.kind]}{' '}
              <Badge tone={check.passed ? 'good' : 'bad'}>{check.passed ? texts.gate.passed : texts.gate.failed}</Badge>
            </span>
            {findingLines(check, texts, figure).map((line) => (
              <span key={line}>{line}</span>
            ))}
            {check.documentIds.length > 0 && <span className="faint">{check.documentIds.join(', ')}</span>}
          </li>
        ))}
      </ul>
      {report.figures.length > 0 && (
        <PlainTable
          columns={[texts.gate.figure, texts.gate.live, texts.gate.checked, texts.gate.interval]}
          testId="gate-figures"
        >
          {report.figures.map(({ dataSet, name, live, checked, low, high }) => (
            <tr key={`${dataSet} ${name}`}>
              <th scope="row">
                {dataSet} {name}
              </th>
              <td>{figure(live)}</td>
              <td>{figure(checked)}</td>
              <td>
                {figure(low)} … {figure(high)}
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      {report.worseQuestions.length > 0 && (
        <>
          <h4>{texts.gate.worse(report.worseCount, report.betterCount)}</h4>
          <ul>
            {report.worseQuestions.map(({ dataSet, queryId, text, live, checked }) => (
              <li key={`${dataSet} ${queryId}`}>
                <span>{text}</span>
                <span className="faint">
                  {figure(live)} → {figure(checked)}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
