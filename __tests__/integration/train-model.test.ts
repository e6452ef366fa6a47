import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ActionResult, type RunningAction, runAction, startAction } from '../../scripts/run-action.ts';
import { trainingKey } from '../../src/model/training-key.ts';
import { type ApacheServer, startApache } from '../helpers/apache.ts';
import { run } from '../helpers/commands.ts';
import { containersNamed, type DockerEngine, makeSmallImage, startDocker } from '../helpers/docker.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { bmp } from '../helpers/tiny-data-set.ts';
import { buildZip } from '../helpers/zip-builder.ts';

const IMAGE = 'diatom-actions-tests/small:1';
/** What the containers of these tests are named by; a run of anybody else has another number. */
const RUN_ID = String(900_000_000 + process.pid);

/** A small data set of two classes. */
const IMAGES = ['train', 'test'].flatMap((split, side) =>
  ['Gomphonema', 'Hannaea'].flatMap((label, kind) =>
    Array.from({ length: split === 'train' ? 3 : 20 }, (_, index) => ({
      path: `${split}/${label}/${index}.png`,
      label,
      split,
      content: bmp(100 * side + 50 * kind + index),
      group: index === 7 ? `${label}/slide` : '',
    })),
  ),
);
const MANIFEST = [
  'path,label,split,sha256,group\n',
  ...IMAGES.map(({ path, label, split, content, group }) => `${path},${label},${split},${sha256(content)},${group}\n`),
].join('');
const ZIP = buildZip({
  entries: [
    { name: 'downloads/source.zip', data: 'not needed' },
    ...IMAGES.map(({ path, content }) => ({ name: `results/${path}`, data: content })),
    { name: 'results/manifest.csv', data: MANIFEST },
    { name: 'results/dataset.json', data: '{"format":1,"seed":"4711"}' },
  ],
});

/** Stands in for `train.py`: writes what it must, and what it sees of its surroundings. */
const TRAIN = `
{
  id -u
  ls "$DATA_DIR" | tr '\\n' ' '; echo
  ls /sys/class/net | tr '\\n' ' '; echo
  grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
  touch /data/new 2>&1
  echo "HOME=$HOME EPOCHS=$EPOCHS WEIGHTS=$WEIGHTS"
  df -k /dev/shm | tail -1 | tr -s ' ' | cut -d ' ' -f 2
} > "$OUTPUT_DIR/surroundings.txt"
sh hello.sh
echo "::warning::not for the runner"
echo weights > "$OUTPUT_DIR/model.pth"
echo '["Gomphonema", "Hannaea"]' > "$OUTPUT_DIR/classes.json"
printf 'epoch,validation_accuracy,validation_macro_f1\\n1,0.5,0.4\\n2,0.9,0.85\\n' > "$OUTPUT_DIR/history.csv"
`;
/** Stands in for `test.py`: the “accuracy” tells whose weights were tested. */
const TEST = `
accuracy=0.9; grep -q old "$WEIGHTS" && accuracy=0.8
cat > "$OUTPUT_DIR/metrics.json" <<END
{ "format": 1, "accuracy": $accuracy, "accuracy_ci": [0.7, 0.95], "macro_f1": 0.85, "macro_f1_ci": [0.6, 0.9],
  "n_test": $(ls "$DATA_DIR"/test/*/* | wc -l), "labels": ["Gomphonema", "Hannaea"],
  "confusion_matrix": [[18, 2], [2, 18]],
  "classes": { "Gomphonema": { "precision": 0.9, "recall": 0.9, "f1": 0.9, "support": 20 },
               "Hannaea": { "precision": 0.9, "recall": 0.9, "f1": 0.9, "support": 20 } } }
END
`;

/** Adds what the template's test.py writes, too: of one class, the new weights have nothing right. */
const PREDICT = `
cd "$DATA_DIR"
{
  echo path,label,predicted
  for file in test/*/*; do
    label=\${file#test/}; label=\${label%/*}; predicted=$label
    [ $label = Hannaea ] && ! grep -q old "$WEIGHTS" && predicted=Gomphonema
    echo "$file,$label,$predicted"
  done
} > "$OUTPUT_DIR/predictions.csv"
`;

let base: string;
let docker: DockerEngine;
let owncloud: ApacheServer;
let workspace: string;
let runnerTemp: string;
let toolCache: string;

beforeAll(async () => {
  docker = await startDocker();
  await makeSmallImage(IMAGE);
  owncloud = await startApache();
  base = await mkdtemp(join(tmpdir(), 'train-model-'));
  chmodSync(base, 0o755);
  [workspace, runnerTemp, toolCache] = [join(base, 'workspace'), join(base, 'temp'), join(base, 'tool-cache')];
  for (const folder of [workspace, runnerTemp, toolCache]) mkdirSync(folder);
  writeFileSync(join(owncloud.directory, 'diatom_set.zip'), ZIP);
});

afterAll(async () => {
  await owncloud?.close();
  if (docker) await run('docker', ['image', 'rm', '--force', IMAGE]);
  await docker?.close();
  if (base) rmSync(base, { recursive: true, force: true });
});

afterEach(async () => {
  expect(await containersNamed(`diatom-${RUN_ID}`), 'every container is gone').toEqual([]);
  expect(readdirSync(runnerTemp), 'nothing is left on the runner').toEqual([]);
});

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function options(inputs: Readonly<Record<string, string>>) {
  return {
    action: 'train-model' as const,
    workspace,
    inputs: {
      image: IMAGE,
      dataset: 'diatom_set.zip',
      'owncloud-url': owncloud.url,
      'owncloud-username': owncloud.username,
      'owncloud-password': owncloud.password,
      gpus: 'none',
      'train-command': TRAIN,
      'test-command': TEST,
      'shm-size': '64m',
      'artifact-name': 'none',
      ...inputs,
    },
    env: { GITHUB_RUN_ID: RUN_ID, RUNNER_TEMP: runnerTemp, RUNNER_TOOL_CACHE: toolCache },
  };
}

const inModel = (name: string, folder = 'model') => join(workspace, folder, name);
const read = (name: string, folder?: string) => readFileSync(inModel(name, folder), 'utf8');

describe('a training with its data set in ownCloud', () => {
  let result: ActionResult;

  beforeAll(async () => {
    result = await runAction(options({ 'dataset-sha256': sha256(ZIP), env: 'EPOCHS=3' }));
  });

  test('ends green, with the evaluation as outputs', () => {
    expect(result.stdout).not.toContain('::error::');
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.outputs).toMatchObject({
      'output-dir': join(workspace, 'model'),
      'model-path': inModel('model.pth'),
      accuracy: '0.9',
      'macro-f1': '0.85',
      'image-digest': '',
      'artifact-name': '',
    });
    expect(JSON.parse(result.outputs['metrics'] ?? '')).toMatchObject({ accuracy: 0.9, n_test: 40 });
  });

  test('the command ran as an ordinary user without rights and network, and could not write to the data', () => {
    const [user, data, network, capabilities, privileges, touch, environment, sharedMemory] =
      read('surroundings.txt').split('\n');
    expect(Number(user)).toBe(process.getuid?.() || 1000);
    expect(data).toBe('dataset.json manifest.csv test train ');
    expect(network).toBe('lo ');
    expect([capabilities, privileges]).toEqual(['CapEff:\t0000000000000000', 'NoNewPrivs:\t1']);
    expect(touch).toMatch(/Read-only file system/);
    expect(environment).toBe('HOME=/tmp EPOCHS=3 WEIGHTS=');
    expect(sharedMemory).toBe(String(64 * 1024));
  });

  test('its log is shown, and is no command to the runner', () => {
    const log = result.stdout;
    expect(log).toContain('hello from the working folder');
    const token = /::stop-commands::(\S+)\n(?:(?!::stop-commands)[\s\S])*^::warning::not for the runner/m.exec(
      log,
    )?.[1];
    expect(token).toBeDefined();
    expect(log.indexOf(`::${token}::`)).toBeGreaterThan(log.indexOf('\n::warning::not for the runner'));
  });

  test('the files belong to the runner', () => {
    const names = readdirSync(join(workspace, 'model'));
    expect(names).toEqual(
      expect.arrayContaining(['model.pth', 'metrics.json', 'training-images.csv', 'provenance.json']),
    );
    for (const name of names) expect(statSync(inModel(name)).uid).toBe(process.getuid?.());
  });

  test('the model knows its images and where it comes from', () => {
    const sums = IMAGES.filter(({ split }) => split === 'train').map(({ content }) => `${sha256(content)},`);
    expect(read('training-images.csv')).toBe(`${['sha256,group', ...sums.sort()].join('\n')}\n`);
    expect(JSON.parse(read('provenance.json'))).toMatchObject({
      image: IMAGE,
      image_digest: null,
      dataset: { sha256: sha256(ZIP), seed: '4711', name: 'diatom_set.zip' },
      engine: 'docker',
    });
  });

  test('the summary shows figures, classes, confusion, learning curve and origin', () => {
    expect(result.summary).toContain('| Accuracy | 90.0 % (70.0 % to 95.0 %) |');
    expect(result.summary).toContain('| Hannaea | 90.0 % | 90.0 % | 90.0 % | 20 |');
    expect(result.summary).toContain('| **2 Hannaea** | 2 | **18** |');
    expect(result.summary).toContain('line [0.5000, 0.9000]');
    expect(result.summary).toContain(sha256(ZIP));
    expect(result.summary).toContain('`4711`');
  });

  test('the log holds no password, but in the masking of it', () => {
    expect((result.stdout + result.stderr).replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(owncloud.password);
  });

  test('a second run takes the data set from the tool cache, also when the server has it no more', async () => {
    rmSync(join(owncloud.directory, 'diatom_set.zip'));
    const again = await runAction(options({ 'dataset-sha256': sha256(ZIP) }));
    writeFileSync(join(owncloud.directory, 'diatom_set.zip'), ZIP);
    expect(again).toMatchObject({ exitCode: 0 });
    expect(again.stdout).toContain('from the cache of this runner');
  });

  test('another sum than expected ends red before anything runs', async () => {
    const refused = await runAction(options({ 'dataset-sha256': 'ab'.repeat(32), 'output-dir': 'other' }));
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toMatch(new RegExp(`::error::.*${sha256(ZIP)}.*${'ab'.repeat(32)}`));
    expect(readdirSync(workspace)).not.toContain('other');
  });
});

describe('what goes wrong', () => {
  const local = { dataset: '', 'owncloud-url': '', 'owncloud-username': '', 'owncloud-password': '' };

  beforeAll(() => {
    local.dataset = 'data.zip';
    writeFileSync(join(workspace, 'data.zip'), ZIP);
  });

  const failing = async (name: string, inputs: Readonly<Record<string, string>>) => {
    const result = await runAction(options({ ...local, 'output-dir': name, ...inputs }));
    return { ...result, error: /^::error::(.*)$/m.exec(result.stdout)?.[1] ?? '' };
  };

  test('a command that fails ends red with its last words, and what it wrote stays', async () => {
    const result = await failing('failed', {
      'train-command': 'echo half > $OUTPUT_DIR/half.txt; echo "CUDA out of memory" >&2; exit 3',
    });
    expect(result.exitCode).toBe(1);
    expect(result.error).toMatch(/ended with exit code 3; .*GPU’s memory is used up.*“CUDA out of memory”/);
    expect(read('half.txt', 'failed')).toBe('half\n');
    expect(statSync(inModel('half.txt', 'failed')).uid).toBe(process.getuid?.());
    expect(result.summary).toContain('[!CAUTION]');
  });

  test('a model that was trained is not lost when its test fails', async () => {
    const result = await failing('untested', { 'test-command': 'exit 4' });
    expect(result.exitCode).toBe(1);
    expect(result.error).toContain('The test-command (“exit 4”) ended with exit code 4');
    expect(result.outputs['model-path']).toBe(inModel('model.pth', 'untested'));
    expect(result.outputs['accuracy']).toBe('');
  });

  test('a command that is not in the image is said in words', async () => {
    const result = await failing('missing', { 'train-command': 'python train.py' });
    expect(result.error).toContain('does not exist in the image (exit code 127)');
  });

  test('memory that is used up is said in words', async () => {
    const result = await failing('memory', { 'train-command': 'kill -9 $$' });
    expect(result.error).toContain('was killed (exit code 137)');
  });

  test('a GPU where there is none is said in words', async () => {
    const result = await failing('gpu', { gpus: 'all' });
    expect(result.error).toMatch(/no GPU runtime\. Install .*or set gpus: none/);
  });

  test('an image that nobody has is said in words', async () => {
    const result = await failing('image', { image: '127.0.0.1:1/nothing:here' });
    expect(result.error).toMatch(/could not get the image 127\.0\.0\.1:1\/nothing:here: its registry can’t be reached/);
  });

  test('training without a model is said in words', async () => {
    const result = await failing('nothing', { 'train-command': 'true' });
    expect(result.error).toContain('has written no file model.pth');
  });

  test('a link in place of a result is not followed', async () => {
    const result = await failing('link', { 'train-command': 'ln -s /etc/passwd $OUTPUT_DIR/model.pth' });
    expect(result.error).toContain('has written no file model.pth');
    expect(statSync('/etc/passwd').uid).toBe(0);
  });

  test('a link in place of what this action writes is replaced and not followed', async () => {
    const victim = join(base, 'victim');
    writeFileSync(victim, 'untouched');
    const links = `ln -sf ${victim} $OUTPUT_DIR/provenance.json; ln -sf ${victim} $OUTPUT_DIR/training-images.csv`;
    const result = await failing('links', { 'train-command': `${TRAIN}\n${links}` });
    expect(result.exitCode).toBe(0);
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
    expect(JSON.parse(read('provenance.json', 'links'))).toMatchObject({ format: 2 });
  });

  test('time that is up stops the container', async () => {
    const result = await failing('late', { 'timeout-minutes': '0.05', 'train-command': 'exec sleep 300' });
    expect(result.exitCode).toBe(1);
    expect(result.error).toContain('The run was stopped after 3 s (input timeout-minutes)');
  });

  test('an output folder with files of somebody else is refused before anything runs', async () => {
    mkdirSync(join(workspace, 'foreign'));
    writeFileSync(inModel('thesis.doc', 'foreign'), 'text');
    const result = await failing('foreign', {});
    expect(result.error).toContain('holds files that this action did not make (thesis.doc)');
    expect(readdirSync(join(workspace, 'foreign'))).toEqual(['thesis.doc']);
  });

  test('a zip that is no data set is refused, and its other files are not unpacked', async () => {
    writeFileSync(join(workspace, 'photos.zip'), buildZip({ entries: [{ name: 'holiday/a.png', data: 'a' }] }));
    const result = await failing('photos', { dataset: 'photos.zip' });
    expect(result.error).toContain('is no data set: expected the folders train and test');
  });

  /** Writes a checkpoint when it is asked to stop, as train.py does. */
  const PATIENT = `
trap 'echo saved > $OUTPUT_DIR/checkpoint.txt; exit 143' TERM
[ -e $OUTPUT_DIR/checkpoint.txt ] && { echo going on; echo w > $OUTPUT_DIR/model.pth; echo '["a"]' > $OUTPUT_DIR/classes.json; exit 0; }
echo "is train""ing"; while true; do sleep 0.1; done
`;
  const started = (output: string) => output.includes('is training');

  const startPatient = async (inputs: Readonly<Record<string, string>> = {}) => {
    let seen = '';
    let isStarted = () => {};
    const running = new Promise<void>((resolve) => {
      isStarted = resolve;
    });
    const action = startAction({
      ...options({ ...local, 'output-dir': 'patient', 'train-command': PATIENT, ...inputs }),
      onOutput: (text) => {
        seen += text;
        if (started(seen)) isStarted();
      },
    });
    await Promise.race([running, action.result]);
    return action;
  };

  test('a cancelled run lets the training save its state, which the next run goes on from', async () => {
    const action = await startPatient();
    action.kill('SIGINT');
    const result = await action.result;
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain('::error::The run was cancelled.');
    expect(read('checkpoint.txt', 'patient')).toBe('saved\n');
    expect(await containersNamed(`diatom-${RUN_ID}`)).toEqual([]);

    const next = await failing('patient', { 'train-command': PATIENT });
    expect(next.exitCode).toBe(0);
    expect(next.stdout).toContain('An earlier run of this training was cut short');
    expect(next.stdout).toContain('going on');
  });

  test('what a step that is killed leaves behind is removed by the post step', async () => {
    const action = await startPatient({ 'output-dir': 'killed' });
    action.kill('SIGKILL');
    const { state, exitCode } = await action.result;
    expect(exitCode).toBe(137);
    expect(await containersNamed(`diatom-${RUN_ID}`)).toHaveLength(1);
    expect(readdirSync(runnerTemp)).toHaveLength(1);
    const post = await runAction({ ...options({}), state });
    expect(post.exitCode).toBe(0);
    expect(statSync(join(workspace, 'killed')).uid).toBe(process.getuid?.());
  });

  test('the post step of a run that has cleaned up itself has nothing to say', async () => {
    const { state, exitCode } = await failing('done', {});
    expect(exitCode).toBe(0);
    const post = await runAction({ ...options({}), state });
    expect(post).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
  });
});

describe('a checkpoint that outlives the machine', () => {
  /** Writes a checkpoint after an epoch, and another one when it is asked to stop; trains to its end from what it finds. */
  const KEEPING = `
kept=$OUTPUT_DIR/checkpoint; mkdir -p $kept
save() { echo "$1" > $kept/.new; mv $kept/.new $kept/checkpoint.pt; }
if [ -e $kept/checkpoint.pt ]; then
  echo "going on from $(cat $kept/checkpoint.pt)"; rm -r $kept
  ${TRAIN}
  exit 0
fi
trap 'save "the signal"; exit 143' TERM
save "an epoch"; echo "is train""ing"; while true; do sleep 0.1; done
`;
  let machines = 0;

  /** Another attempt of the same run, on a machine that has nothing of the one before. */
  const attempt = (inputs: Readonly<Record<string, string>>, onOutput: (text: string) => void = () => {}) => {
    machines++;
    const place = join(base, `machine-${machines}`);
    mkdirSync(place);
    const action = startAction({
      ...options({ 'train-command': KEEPING, 'checkpoint-minutes': '60', ...inputs }),
      workspace: place,
      onOutput,
    });
    return { action, place };
  };
  const folderOf = (key: string) => join(owncloud.directory, 'checkpoints', `${RUN_ID}-${key}`);
  const storedIn = (folder: string) => {
    const { files } = JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8'));
    return files.map(({ sha256 }: { sha256: string }) => readFileSync(join(folder, sha256), 'utf8'));
  };

  /** Begins one, and lets `meanwhile` work when it trains. */
  const whileTraining = async (
    inputs: Readonly<Record<string, string>>,
    meanwhile: (action: RunningAction, place: string, log: () => string) => Promise<void> | void,
  ) => {
    let log = '';
    let isTraining = () => {};
    const training = new Promise<void>((resolve) => {
      isTraining = resolve;
    });
    const { action, place } = attempt(inputs, (text) => {
      log += text;
      if (log.includes('is training')) isTraining();
    });
    await Promise.race([training, action.result]);
    await meanwhile(action, place, () => log);
    return action.result;
  };

  test.each([
    ['SIGTERM', (action: RunningAction) => action.kill('SIGTERM'), {}],
    ['timeout-minutes', () => {}, { 'timeout-minutes': '0.1' }],
  ])(
    'a training that is stopped by %s stores its last state, from which another machine goes on',
    async (by, stop, more) => {
      const stopped = await whileTraining({ key: by, ...more }, (action) => stop(action));
      expect(stopped.exitCode).toBe(1);
      const folder = folderOf(trainingKey(by));
      expect(storedIn(folder), stopped.stdout).toEqual(['the signal\n']);
      const { action, place } = attempt({ key: by, ...more, 'timeout-minutes': '' });
      const next = await action.result;
      expect(next, next.stdout).toMatchObject({ exitCode: 0 });
      expect(next.stdout).toContain('going on from the signal');
      expect(readFileSync(join(place, 'model', 'model.pth'), 'utf8')).toBe('weights\n');
      expect(existsSync(folder)).toBe(false);
    },
  );

  test('with other settings it is not used, which is said', async () => {
    await whileTraining({ key: 'other' }, (action) => action.kill('SIGTERM'));
    const other = await whileTraining({ key: 'other', env: 'EPOCHS=4' }, (action) => action.kill('SIGTERM'));
    expect(other.stdout).not.toContain('going on');
    expect(other.stdout).toMatch(/::warning::The checkpoint in .* is not used.*another state of the settings \(env\)/);
  });

  test('a folder of a disk keeps it in place of ownCloud', async () => {
    const inputs = { key: 'disk', 'checkpoint-folder': join(base, 'cluster') };
    await whileTraining(inputs, (action) => action.kill('SIGTERM'));
    const folder = join(base, 'cluster', `${RUN_ID}-disk`);
    expect([storedIn(folder), statSync(folder).mode & 0o777]).toEqual([['the signal\n'], 0o700]);
    expect(existsSync(folderOf('disk'))).toBe(false);
    const next = await attempt(inputs).action.result;
    expect(next, next.stdout).toMatchObject({ exitCode: 0 });
    expect(next.stdout).toContain('going on from the signal');
    expect(readdirSync(join(base, 'cluster'))).toEqual([]);
  });

  test('a training goes on to its end while ownCloud is away, with a warning', async () => {
    const command = `
mkdir $OUTPUT_DIR/checkpoint; echo state > $OUTPUT_DIR/checkpoint/checkpoint.pt; echo "is train""ing"
while [ ! -e $OUTPUT_DIR/go ]; do sleep 0.1; done
${TRAIN}`;
    const inputs = { key: 'away', 'train-command': command, 'checkpoint-minutes': '0.05' };
    const ended = await whileTraining(inputs, (action, place, log) =>
      owncloud.whileAway(async () => {
        await vi.waitFor(() => expect(log()).toContain('The checkpoint could not be stored'), 120_000);
        writeFileSync(join(place, 'model', 'go'), '');
        await action.result;
      }),
    );
    expect(ended, ended.stdout).toMatchObject({ exitCode: 0 });
    expect(ended.summary).toMatch(/The checkpoint could not be stored in the folder “checkpoints/);
  });
});

describe('an image in a registry that wants a sign-in', () => {
  let registry: Registry;
  let image: string;

  beforeAll(async () => {
    registry = await startRegistry();
    image = `${registry.host}/lab/diatoms:v1`;
    const configuration = join(base, 'docker-configuration');
    const docker = (...args: string[]) => run('docker', ['--config', configuration, ...args]);
    await docker('login', '--username', registry.username, '--password', registry.password, registry.host);
    await docker('tag', IMAGE, image);
    await docker('push', image);
    await docker('image', 'rm', image);
  });

  afterAll(async () => {
    if (image) await run('docker', ['image', 'rm', '--force', image]);
    await registry?.close();
  });

  const runWith = (username: string, password: string) =>
    runAction(
      options({ image, 'output-dir': 'private', 'registry-username': username, 'registry-password': password }),
    );

  test('is pulled with the account, of which nothing stays; its digest is an output', async () => {
    const result = await runWith(registry.username, registry.password);
    expect(result).toMatchObject({ exitCode: 0 });
    const digest = await registry.digestOf('lab/diatoms', 'v1');
    expect(digest).toMatch(/^sha256:/);
    expect(result.outputs['image-digest']).toBe(digest);
    expect(JSON.parse(read('provenance.json', 'private'))).toMatchObject({ image, image_digest: digest });
    expect((result.stdout + result.stderr).replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(registry.password);
    const configuration = join(homedir(), '.docker', 'config.json');
    const text = await run('sh', ['-c', 'cat "$1" 2>/dev/null || true', 'sh', configuration]);
    expect(text).not.toContain(registry.host);
  });

  test('is not used with a wrong password, not even as it is on this machine', async () => {
    const result = await runWith(registry.username, 'not-the-password');
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/::error::docker could not sign in to .* as builder: the registry refuses/);
  });
});

describe('compared with the model in production', () => {
  const place = 'models/diatoms/production';
  const compare = (inputs: Readonly<Record<string, string>> = {}) =>
    runAction(options({ 'output-dir': 'compared', 'compare-with': place, ...inputs }));
  /** Test images 0 to 4 of one class were in the old model's training, and so was the group of another image. */
  const trainedOn = [
    ...IMAGES.filter(({ path }) => /^test\/Hannaea\/[0-4]\./.test(path)).map(({ content }) => `${sha256(content)},`),
    `${'0'.repeat(64)},Gomphonema/slide`,
  ];

  const publish = (files: Readonly<Record<string, string>>) => {
    const folder = join(owncloud.directory, place);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  };
  const PRODUCTION = {
    'model.pth': 'old weights',
    'classes.json': '["Gomphonema", "Hannaea"]',
    'training-images.csv': `sha256,group\n${trainedOn.join('\n')}\n`,
    VERSION: '20261101-120000-abcdef1\n',
  };

  test('before there is one, nothing is compared', async () => {
    const result = await compare();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toContain(`There is no model in ${place} yet`);
    expect(readdirSync(join(workspace, 'compared'))).not.toContain('comparison.json');
  });

  test('both are tested on what neither was trained on, images and groups', async () => {
    const sums = Object.entries(PRODUCTION).map(([name, text]) => `${sha256(text)}  ${name}\n`);
    publish({ ...PRODUCTION, SHA256SUMS: sums.join('') });
    const result = await compare();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(read('comparison.json', 'compared'))).toMatchObject({
      format: 2,
      production_version: '20261101-120000-abcdef1',
      n_test: 40,
      n_compared: 34,
      too_few: false,
      candidate: { accuracy: 0.9, accuracy_ci: [0.7, 0.95] },
      production: { accuracy: 0.8 },
      images: null,
    });
    expect(result.stdout).toMatch(
      /::warning::.*whether a class was lost is not known: .* writes no predictions\.csv, or/,
    );
    expect(readdirSync(join(workspace, 'compared'))).not.toContain('became_wrong.html');
    expect(JSON.parse(read('metrics.json', 'compared'))).toMatchObject({ n_test: 40 });
    expect(result.summary).toContain('34 of 40 test images are new to both models.');
    expect(result.summary).toMatch(/\| Accuracy \| 90\.0 % .*\| 80\.0 %/);
  });

  test('a class that the new model has lost is seen image by image, and shown', async () => {
    publish(PRODUCTION);
    const result = await compare({ 'test-command': `${TEST}\n${PREDICT}` });
    expect(result).toMatchObject({ exitCode: 0 });
    const { images } = JSON.parse(read('comparison.json', 'compared'));
    expect(images).toHaveLength(34);
    expect(images.filter(({ path }: { path: string }) => path === 'test/Hannaea/5.png')).toEqual([
      {
        path: 'test/Hannaea/5.png',
        sha256: sha256(bmp(155)),
        label: 'Hannaea',
        candidate: 'Gomphonema',
        production: 'Hannaea',
      },
    ]);
    expect(result.summary).toContain('| Hannaea | 15 | 15 | 0 | 15 | 0 | 🔻 **worse beyond chance** |');
    expect(read('became_wrong.html', 'compared')).toContain(bmp(155).toString('base64'));
    // What the whole test set is taken for is there, too.
    expect(read('predictions.csv', 'compared').trim().split('\n')).toHaveLength(41);
  });

  test('the best version that was in production is tested, too, and card, summary and comparison name it', async () => {
    const { VERSION, ...files } = PRODUCTION;
    publish(PRODUCTION);
    const versions = { 'v-best': 0.99, [VERSION.trim()]: 0.8 };
    for (const [name, accuracy] of Object.entries(versions)) {
      const folder = join(owncloud.directory, place, '..', name);
      mkdirSync(folder, { recursive: true });
      const record = { promotions: [{ replaced: null }] };
      const texts = {
        'verdict.json': JSON.stringify(record),
        'metrics.json': `{"accuracy":${accuracy},"macro_f1":0.8}`,
      };
      for (const [file, text] of Object.entries({ ...files, ...texts })) writeFileSync(join(folder, file), text);
    }
    // Weights that the test takes for old ones, and yet others than production's.
    writeFileSync(join(owncloud.directory, place, '..', 'v-best', 'model.pth'), 'the best old weights');
    const card = 'printf "# Mine\\n" > "$OUTPUT_DIR/MODEL_CARD.md"';
    const result = await compare({ 'train-command': `${TRAIN}\n${card}`, 'test-command': `${TEST}\n${PREDICT}` });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toContain('The best other version that was in production is v-best.');
    const { best, images } = JSON.parse(read('comparison.json', 'compared'));
    expect(best).toEqual({ version: 'v-best', not_compared: null });
    expect(images).toHaveLength(34);
    for (const { label, best } of images) expect(best).toBe(label);
    const words = 'The model is worse than v-best (the best other version that was in production), on 34 test images';
    expect(read('MODEL_CARD.md', 'compared')).toContain('# Mine\n\n## Compared with production\n\nThe model is worse');
    expect(read('MODEL_CARD.md', 'compared')).toContain(
      `${words} that neither was trained on: 0 newly right, 15 newly`,
    );
    expect(result.summary).toContain(words);
    for (const name of Object.keys(versions)) {
      rmSync(join(owncloud.directory, place, '..', name), { recursive: true });
    }
  });

  test('too few images are said', async () => {
    const most = IMAGES.filter(({ path }) => /^test\/.*\/1\d\./.test(path)).map(({ content }) => `${sha256(content)},`);
    publish({ ...PRODUCTION, 'training-images.csv': `sha256,group\n${most.join('\n')}\n` });
    const result = await compare();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(read('comparison.json', 'compared'))).toMatchObject({ n_compared: 20, too_few: true });
    expect(result.summary).toContain('there are 20, and at least 30 are needed');
  });

  test('a class of which no image is left is said, and nothing is measured', async () => {
    const all = IMAGES.filter(({ path }) => path.startsWith('test/Hannaea/')).map(
      ({ content }) => `${sha256(content)},`,
    );
    publish({ ...PRODUCTION, 'training-images.csv': `sha256,group\n${all.join('\n')}\n` });
    await compare();
    expect(JSON.parse(read('comparison.json', 'compared'))).toMatchObject({
      n_compared: 20,
      too_few: true,
      candidate: null,
      production: null,
    });
  });

  test.each([
    ['other classes', { 'classes.json': '["Other"]' }, 'they know different classes'],
    ['images that nobody knows', { 'training-images.csv': '' }, 'it has no training-images.csv'],
  ])('one with %s is not compared, with a warning', async (_, files, warning) => {
    publish({ ...PRODUCTION, ...files });
    const result = await compare();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toMatch(new RegExp(`::warning::The model was not compared with ${place}: .*${warning}`));
    expect(readdirSync(join(workspace, 'compared'))).not.toContain('comparison.json');
  });

  test('one whose files are not what its sums say ends red', async () => {
    publish({ ...PRODUCTION, SHA256SUMS: `${'0'.repeat(64)}  model.pth\n` });
    const result = await compare();
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain('::error::The file model.pth of the model');
  });
});

describe('a result that GitHub does not take (there is no artifact service here)', () => {
  const place = `data sets/unpublished/${RUN_ID}-model`;
  const onServer = (...path: string[]) => join(owncloud.directory, ...path);
  const server = () => ({
    'owncloud-url': owncloud.url,
    'owncloud-username': owncloud.username,
    'owncloud-password': owncloud.password,
  });
  const publish = (inputs: Readonly<Record<string, string>>) =>
    runAction({
      action: 'publish-model',
      workspace,
      inputs: { ...server(), 'model-name': 'rescued', 'models-folder': 'rescued models', ...inputs },
      env: { RUNNER_TEMP: runnerTemp },
    });

  /** Large enough that its upload can be ended in the middle. */
  const LARGE = `${TRAIN}\nhead -c 300000000 /dev/zero >> "$OUTPUT_DIR/model.pth"`;

  test('of a run that is killed in the middle of storing it has no mark, and is never published', async () => {
    const inputs = { 'artifact-name': 'model', 'owncloud-folder': 'data sets', 'train-command': LARGE };
    const running = startAction(options(inputs));
    while (!existsSync(onServer(place))) await sleep(20);
    running.kill('SIGKILL');
    const { state } = await running.result;
    await runAction({ ...options({}), state });
    expect(readdirSync(onServer(place))).not.toContain('SHA256SUMS');
    const refused = await publish({ unpublished: place });
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toContain('holds no complete result');
    expect(existsSync(onServer('rescued models', 'rescued', 'production'))).toBe(false);
    rmSync(onServer('data sets'), { recursive: true });
  });

  test('is in ownCloud when the run ends, whole, and from there it is published and deleted', async () => {
    const result = await runAction(options({ 'artifact-name': 'model', 'owncloud-folder': 'data sets' }));
    expect(result).toMatchObject({ exitCode: 0, outputs: { 'artifact-name': '', unpublished: place } });
    expect(result.stdout).toContain(`complete, in the folder “${place}”`);
    const checked = await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: onServer(place) });
    expect(checked.match(/: OK$/gm)).toHaveLength(readdirSync(onServer(place)).length - 1);
    const published = await publish({ unpublished: result.outputs['unpublished'] ?? '' });
    expect(published).toMatchObject({ exitCode: 0, outputs: { promoted: 'true' } });
    const weights = readFileSync(onServer('rescued models', 'rescued', 'production', 'model.pth'), 'utf8');
    expect(weights).toBe(read('model.pth'));
    expect(readdirSync(onServer('data sets', 'unpublished'))).toEqual([]);
  });

  test('and the server neither, is red, names the folder, and stays there through the next run', async () => {
    const inputs = { 'artifact-name': 'model', 'owncloud-folder': 'diatom_set.zip', 'output-dir': 'unstored' };
    const result = await runAction(options(inputs));
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/::error::The result could not be stored as the workflow artifact “model”/);
    expect(result.stdout).toContain(`All of it is in ${join(workspace, 'unstored')}`);
    expect(await runAction(options({ 'output-dir': 'unstored' }))).toMatchObject({ exitCode: 0 });
    const [kept = ''] = readdirSync(workspace).filter((name) => name.startsWith('unstored.unstored-'));
    expect(readdirSync(join(workspace, kept, 'unstored'))).toContain('model.pth');
  });
});
