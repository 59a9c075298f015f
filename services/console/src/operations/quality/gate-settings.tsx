import { useMutation, useQuery } from '@connectrpc/connect-query';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { GetGateResponse } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { GateMode, VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { useOperationTexts } from '../i18n/index.ts';
import { Choice } from '../ui/choice.tsx';
import { Field } from '../ui/field.tsx';
import { ActionFailure, Reply } from '../ui/reply.tsx';

const modes = [GateMode.INVARIANTS, GateMode.JUDGED, GateMode.OFF];

/** What a version of a corpus must prove before readers see it. */
export function GateSettings({ corpus }: { corpus: string }) {
  const gate = useQuery(VersionGateService.method.getGate, { corpus });
  return <Reply query={gate}>{(reply) => <Form corpus={corpus} reply={reply} />}</Reply>;
}

function Form({ corpus, reply }: { corpus: string; reply: GetGateResponse }) {
  const texts = useOperationTexts();
  const queries = useQueryClient();
  const [mode, setMode] = useState<GateMode>(reply.gate?.mode ?? GateMode.INVARIANTS);
  const [dataSets, setDataSets] = useState(reply.gate?.dataSets.join(' ') ?? '');
  const [canary, setCanary] = useState(String(reply.gate?.trial?.canaryPercent ?? 0));
  const [shadow, setShadow] = useState(String(reply.gate?.trial?.shadowPercent ?? 0));
  const isOff = mode === GateMode.OFF;
  const isWrong = !isOff && ![canary, shadow].every(isPercent);
  const put = useMutation(VersionGateService.method.putGate, { onSuccess: () => queries.invalidateQueries() });
  const names = dataSets.split(/[\s,，、]+/).filter((name) => name !== '');
  return (
    <form
      className="source-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (isWrong) return;
        const trial = isOff ? {} : { canaryPercent: Number(canary), shadowPercent: Number(shadow) };
        put.mutate({ corpus, gate: { mode, dataSets: mode === GateMode.JUDGED ? names : [], trial } });
      }}
    >
      <Choice
        label={texts.gate.mode}
        value={String(mode)}
        options={modes.map((value) => ({ value: String(value), label: texts.gate.modes[value] ?? '' }))}
        onChange={(chosen) => setMode(Number(chosen) as GateMode)}
        testId="gate-mode"
      />
      {mode === GateMode.JUDGED && (
        <Field label={texts.gate.dataSets} hint={texts.gate.dataSetsHint} value={dataSets} onChange={setDataSets} />
      )}
      {!isOff && (
        <>
          <Field
            label={texts.trial.canary}
            hint={texts.trial.canaryHint}
            value={canary}
            onChange={setCanary}
            testId="trial-canary"
          />
          <Field
            label={texts.trial.shadow}
            hint={texts.trial.shadowHint}
            value={shadow}
            onChange={setShadow}
            testId="trial-shadow"
          />
        </>
      )}
      {isWrong && (
        <p className="field-hint" role="alert">
          {texts.trial.wrongShare}
        </p>
      )}
      <p className="field-hint">
        {reply.changedBy === '' ? texts.gate.ofConfiguration : texts.gate.changedBy(reply.changedBy)}
      </p>
      <ActionFailure error={put.error} />
      <div className="form-actions">
        <Button type="submit" className="button primary" isDisabled={put.isPending || isWrong} data-testid="gate-save">
          {texts.sources.save}
        </Button>
        {put.isSuccess && <span role="status">{texts.saved}</span>}
      </div>
    </form>
  );
}

function isPercent(text: string): boolean {
  return /^\d{1,3}$/.test(text.trim()) && Number(text) <= 100;
}
