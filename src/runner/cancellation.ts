/**
 * Aborts when the runner cancels the step: it sends SIGINT, then SIGTERM 7.5 s later. Without a listener Node would end
 * at once and leave everything half done. `release` gives the signals their usual effect back.
 */
export function cancelOnSignals(): { readonly cancel: AbortController; release(): void } {
  const cancel = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => cancel.abort(new Error(signal));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    cancel,
    release: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}
