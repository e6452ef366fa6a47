import { N_TEST_ALLOWED, parseNTest } from '../dataset/n-test.ts';
import { DEFAULT_ENDINGS } from '../image/formats.ts';
import { folder, OWNCLOUD, PART, safeName } from './common.ts';
import { ofRun, text, truth, whole, without, words } from './kinds.ts';

/** The inputs of prepare-data. */
export const PREPARE_DATA = {
  ...PART,
  // A secret, unless it stands in the settings file.
  'file-list': text({ allowed: 'secret FILE_LIST, the path of a list in the repository, or the list itself' }),
  'file-list-path': ofRun(text()),
  'n-test': text({
    fallback: '10',
    accepts: (value) => parseNTest(value) !== undefined,
    allowed: N_TEST_ALLOWED,
  }),
  seed: text({ pattern: /^[A-Za-z0-9._-]{1,64}$/, allowed: '1 to 64 letters, digits, “.”, “_” or “-”' }),
  split: words(['shuffle', 'stable', 'keep'], 'shuffle'),
  previous: text({ fallback: 'auto' }),
  force: ofRun(truth('false')),
  shrink: words(['warn', 'error'], 'warn'),
  'group-by': text({
    accepts: without((value) => new RegExp(value, 'u')),
    allowed: 'a JavaScript regular expression, such as ^([^_]+)_',
  }),
  'broken-images': words(['leave-out', 'keep', 'error'], 'leave-out'),
  duplicates: words(['keep-together', 'drop', 'error'], 'keep-together'),
  'label-conflicts': words(['error', 'warn'], 'error'),
  'near-duplicates': words(['report', 'together', 'off'], 'report'),
  'image-extensions': text({
    fallback: DEFAULT_ENDINGS.join(', '),
    accepts: (value) => value.split(/[\s,]+/).every((ending) => /^(\.?[A-Za-z0-9]+)?$/.test(ending)),
    allowed: 'endings of file names separated by commas or spaces, such as jpg, png',
    form: { list: ', ' },
  }),
  'data-dir': text({ fallback: 'data' }),
  'archive-content': words(['data', 'results'], 'data'),
  'archive-prefix': safeName('diatom_set'),
  upload: truth('true'),
  ...OWNCLOUD,
  'owncloud-folder': folder(),
  'keep-archive': truth('false'),
  'keep-data': truth('true'),
  'low-disk': truth('false'),
  'keep-last': whole(0, 1_000_000),
  concurrency: whole(1, 32, '2'),
  cache: truth('true'),
  'artifact-name': safeName(),
  'artifact-content': words(['descriptions', 'archive'], 'descriptions'),
  'dry-run': ofRun(truth('false')),
  check: ofRun(truth('false')),
  'check-gate': ofRun(text()),
  'check-also': ofRun(text()),
};

/** Those that change a data set, beside its zips. */
export const DATA_SET_SETTINGS: readonly (keyof typeof PREPARE_DATA)[] = [
  'n-test',
  'seed',
  'split',
  'previous',
  'group-by',
  'broken-images',
  'duplicates',
  'label-conflicts',
  'near-duplicates',
  'image-extensions',
  'archive-content',
];
