import { messageOf } from '../errors.ts';
import { parseGate } from '../model/gate.ts';
import { folder, OWNCLOUD, PART, safeName } from './common.ts';
import { ofRun, secret, share, text, truth, whole, words } from './kinds.ts';

function faultOfGate(gate: string): string | undefined {
  try {
    parseGate(gate);
    return undefined;
  } catch (error) {
    return messageOf(error).replace(/^Input gate, /, '');
  }
}

/** The inputs of publish-model. */
export const PUBLISH_MODEL = {
  ...PART,
  'model-dir': ofRun(text()),
  'artifact-name': ofRun(text()),
  unpublished: ofRun(text()),
  'model-name': {
    ...safeName(),
    accepts: (name: string) => safeName().accepts(name) && !name.startsWith('.'),
    allowed: 'a safe name for a folder that does not begin with a dot',
  },
  version: ofRun(text()),
  ...OWNCLOUD,
  'owncloud-folder': folder(),
  'models-username': text(),
  'models-password': secret('MODELS_PASSWORD'),
  'models-folder': folder('models'),
  gate: text({
    fault: faultOfGate,
    allowed: 'comparisons separated by commas, such as macro_f1 >= 0.85, recall[hannea] >= 0.7',
    form: { list: '\n' },
  }),
  'no-worse-than-production': truth('true'),
  margin: share(0.5, '0.02'),
  'when-unsure': words(['promote-if-not-lower', 'wait'], 'promote-if-not-lower'),
  'worse-classes': words(['error', 'warn', 'allow'], 'error'),
  'allow-class-change': truth('false'),
  promote: truth('true'),
  'promote-version': ofRun(text()),
  'roll-back-to': ofRun(text()),
  'check-again': ofRun(words(['as-stored', 'anew'])),
  'judge-version': ofRun(text()),
  'keep-versions': whole(1, 1_000_000),
  author: text(),
  contact: text(),
  license: text({ pattern: /^[A-Za-z0-9][A-Za-z0-9.+-]*$/, allowed: 'an SPDX identifier such as CC-BY-4.0, MIT' }),
  citation: text({ form: { list: '\n' } }),
  'dry-run': ofRun(truth('false')),
  check: ofRun(truth('false')),
  // Its default is in action.yml: only there it can be an expression.
  'github-token': ofRun(text()),
};
