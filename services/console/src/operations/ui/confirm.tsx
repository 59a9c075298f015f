import { type ReactNode, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Dialog, DialogTrigger } from 'react-aria-components/Dialog';
import { Heading } from 'react-aria-components/Heading';
import { Modal, ModalOverlay } from 'react-aria-components/Modal';
import { useMessages } from '../../i18n/index.ts';
import { ActionFailure } from './reply.tsx';

interface ConfirmProps {
  /** Text of the button that opens the question. */
  label: string;
  title: string;
  children: ReactNode;
  /** Text of the button that acts. */
  action: string;
  isDanger?: boolean;
  isDisabled?: boolean;
  /** Acts; the dialog closes when it resolves, and shows why it rejects. */
  onConfirm: () => Promise<unknown>;
  testId: string;
}

/** A button whose action is confirmed in a dialog. */
export function Confirm(props: ConfirmProps) {
  const { label, title, children, action, isDanger = false, isDisabled = false, onConfirm, testId } = props;
  const texts = useMessages();
  const [error, setError] = useState<Error | null>(null);
  const [isRunning, setRunning] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const run = async () => {
    if (isRunning) return;
    setRunning(true);
    setError(null);
    try {
      await onConfirm();
      setOpen(false);
    } catch (thrown) {
      setError(thrown as Error);
    } finally {
      setRunning(false);
    }
  };
  return (
    <DialogTrigger isOpen={isOpen} onOpenChange={setOpen}>
      <Button className={`button ${isDanger ? 'danger' : ''}`} isDisabled={isDisabled} data-testid={testId}>
        {label}
      </Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog className="dialog" role="alertdialog">
            <Heading slot="title" className="dialog-title">
              {title}
            </Heading>
            <div className="dialog-body">{children}</div>
            <ActionFailure error={error} />
            <div className="dialog-actions">
              <Button className="button" slot="close">
                {texts.cancel}
              </Button>
              {/* Not disabled while it runs: that would take the focus out of the dialog, and Escape would not close it. */}
              <Button
                className={`button ${isDanger ? 'danger' : 'primary'}`}
                aria-busy={isRunning}
                onPress={run}
                data-testid={`${testId}-confirm`}
              >
                {action}
              </Button>
            </div>
          </Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}
