import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/action-metadata.ts';
import {
  type Job,
  type Permissions,
  repositoryName,
  type Step,
  stepsOf,
  type WorkflowFile,
  workflowFiles,
} from '../helpers/workflow-files.ts';

const own = workflowFiles('.github/workflows');
const templates = workflowFiles('templates/workflows');
const all = [...own, ...templates];
// Without inputs: called from here alone.
const reusable = own.filter(({ workflow }) => workflow.on.workflow_call?.inputs);

/** The composite actions that are parts of our workflows. */
const partTexts = readdirSync(join(ROOT, '.github', 'actions')).map((part) =>
  readFileSync(join(ROOT, '.github', 'actions', part, 'action.yml'), 'utf8').replaceAll('\r\n', '\n'),
);

const ours = repositoryName();
const SECRETS = [
  ...[
    'FILE_LIST',
    'OWNCLOUD_PASSWORD',
    'MODELS_PASSWORD',
    'REGISTRY_PASSWORD',
    'RUNNER_APP_KEY',
    'RUNNER_TOKEN',
    'SSH_KEY',
  ],
  ...['GCE_KEY', 'OPENSTACK_SECRET', 'OPENSTACK_DELETE_SECRET', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
];

/** GitHub shows no more inputs than this in the form that starts a workflow by hand. */
const MAX_FORM_INPUTS = 25;

/** The part of the settings that each action takes. */
const PARTS: Readonly<Record<string, string>> = {
  'prepare-data': 'data',
  'train-model': 'train',
  'gpu-server': 'gpu-server',
  'publish-model': 'publish',
};

/** What each job may do with GitHub’s token: no more than it needs. A job that calls a workflow needs what that one needs. */
const PERMISSIONS: Readonly<Record<string, Permissions>> = {
  // The settings, and a file list, in the repository.
  'settings/read': { contents: 'read' },
  'settings/arrival': {},
  'prepare-data/prepare': { contents: 'read' },
  'build-image/build': { contents: 'read', packages: 'write', attestations: 'write', 'id-token': 'write' },
  // Which runs are over, and Amazon’s trust in GitHub.
  'train-attempt/start': { actions: 'read', 'id-token': 'write' },
  'train-attempt/train': { packages: 'read' },
  'train-attempt/stop': { actions: 'read', 'id-token': 'write' },
  'train-model/outcome': {},
  // Whether the run that holds the model’s folder has ended.
  'publish-model/store': { actions: 'read' },
  'publish-model/promote': { actions: 'read' },
  'check/check': { contents: 'read', packages: 'write' },
  'check/training': {},
  'codeql/analyze': { contents: 'read', 'security-events': 'write' },
  'site/build': { contents: 'read' },
  'site/deploy': { pages: 'write', 'id-token': 'write' },
  'pipeline/decide': {},
  'try-it/try-it': { packages: 'write' },
  'release/draft': { contents: 'write' },
  'release/verify': { contents: 'read' },
  'release/publish': { contents: 'write', attestations: 'write', 'id-token': 'write' },
  'train-and-publish/train-and-publish': { packages: 'read', actions: 'read' },
  // Which runs are over; and a role of AWS.
  'reap/reap': { actions: 'read', 'id-token': 'write' },
  'train-on-gpu-server/start': { actions: 'read' },
  'train-on-gpu-server/train-and-publish': { packages: 'read', actions: 'read' },
  'train-on-gpu-server/stop': { actions: 'read' },
};

function jobsOf(file: WorkflowFile): { readonly id: string; readonly job: Job }[] {
  return Object.entries(file.workflow.jobs).map(([id, job]) => ({ id, job }));
}

/** The queues in which a workflow and its jobs wait. */
function concurrencyOf(file: WorkflowFile): NonNullable<Job['concurrency']>[] {
  return [file.workflow, ...jobsOf(file).map(({ job }) => job)].flatMap(({ concurrency }) => concurrency ?? []);
}

/** The workflow of this repository that a job calls, from here or from elsewhere. */
function calledBy({ uses = '' }: Job): WorkflowFile | undefined {
  return own.find(({ path }) => uses === `$/${path}` || (uses.includes(`/${path}@`) && !uses.startsWith('$')));
}

/** The union of what the jobs of a workflow, and of those that they call, may do. */
function neededBy(file: WorkflowFile): Permissions {
  const needed: Record<string, 'read' | 'write' | 'none'> = {};
  for (const { job } of jobsOf(file)) {
    const called = calledBy(job);
    for (const [scope, access] of Object.entries(called ? neededBy(called) : (job.permissions ?? {}))) {
      if (needed[scope] !== 'write') needed[scope] = access;
    }
  }
  return needed;
}

test('there is a reusable workflow for each stage, for the settings before them and for all together', () => {
  const names = [
    'build-image',
    'check',
    'pipeline',
    'prepare-data',
    'publish-model',
    'reap',
    'settings',
    'train-attempt',
    'train-model',
  ];
  expect(reusable.map(({ name }) => name).sort()).toEqual(names);
});

describe.each(all)('$path', (file) => {
  const { workflow, text } = file;

  test('takes actions of others by full commit, with the version beside it, and the same one everywhere', () => {
    const pins = (content: string) => [
      ...content.matchAll(/uses: ([\w.-]+\/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/gm),
    ];
    const foreign = [...text.matchAll(/uses: (\S+).*$/gm)].filter(
      ([, used = '']) => !/^[$.]\//.test(used) && !used.startsWith(`${ours}/`),
    );
    expect(pins(text)).toHaveLength(foreign.length);
    const everywhere = [...own.map((other) => other.text), ...partTexts].flatMap(pins);
    for (const [, name, commit, version] of pins(text)) {
      const same = everywhere.filter((pin) => pin[1] === name);
      expect(new Set(same.map((pin) => `${pin[2]} ${pin[3]}`))).toEqual(new Set([`${commit} ${version}`]));
    }
  });

  test('begins with no permissions, and gives each job what it needs', () => {
    expect(workflow.permissions).toEqual({});
    for (const { id, job } of jobsOf(file)) {
      const called = calledBy(job);
      const expected = called ? neededBy(called) : (PERMISSIONS[`${file.name}/${id}`] ?? { contents: 'read' });
      // A job of the CI may also do without.
      if (file.name === 'ci' && job.permissions === undefined) continue;
      expect({ [id]: job.permissions }).toEqual({ [id]: expected });
    }
  });

  test('ends every job after some time', () => {
    for (const { id, job } of jobsOf(file)) {
      if (job.steps) expect({ [id]: job['timeout-minutes'] }).toEqual({ [id]: expect.anything() });
    }
  });

  test('drops no run that waits, unless a newer one of the same change takes its place', () => {
    for (const concurrency of concurrencyOf(file)) {
      if (file.name === 'ci') expect(concurrency).toHaveProperty('cancel-in-progress');
      else expect(concurrency).toMatchObject({ queue: 'max' });
    }
  });

  test('puts no expression into a script, where its value would be executed', () => {
    for (const { step } of stepsOf(file)) expect(step.run ?? '').not.toContain('${{');
  });

  test('leaves no token behind in what it checks out', () => {
    for (const { step } of stepsOf(file)) {
      if (step.uses?.startsWith('actions/checkout@')) expect(step.with).toMatchObject({ 'persist-credentials': false });
    }
  });

  test('shows a form that GitHub can show', () => {
    const form = workflow.on.workflow_dispatch?.inputs ?? {};
    expect(Object.keys(form).length).toBeLessThanOrEqual(MAX_FORM_INPUTS);
    for (const { options, default: chosen } of Object.values(form)) if (options) expect(options).toContain(chosen);
  });

  test('knows only the secrets that are the same everywhere', () => {
    const used = [...text.matchAll(/\bsecrets\.(\w+)/g)].map(([, name]) => name);
    const taken = Object.keys(workflow.on.workflow_call?.secrets ?? {});
    const given = jobsOf(file).flatMap(({ job }) => Object.keys(job.secrets ?? {}));
    for (const name of [...used, ...taken, ...given]) expect(SECRETS).toContain(name);
  });

  test('uses of this repository only what is there', () => {
    const uses = [...text.matchAll(new RegExp(`uses: (?:\\$|${ours})/([^@\\s]+)`, 'g'))];
    for (const [, path = ''] of uses) {
      expect({ [path]: existsSync(join(ROOT, path.endsWith('.yml') ? path : `${path}/action.yml`)) }).toEqual({
        [path]: true,
      });
    }
  });
});

describe.each(reusable)('the reusable workflow $name', (file) => {
  const { workflow, name, text } = file;
  const { inputs = {}, outputs = {}, secrets = {} } = workflow.on.workflow_call ?? {};

  test('uses this repository by $/, which is the commit that it comes from itself', () => {
    expect(text).not.toContain('uses: ./');
    expect(text).not.toContain(`uses: ${ours}`);
  });

  test('hands every action its part of the settings, and every workflow that it calls, with the runners', () => {
    for (const { job } of jobsOf(file)) {
      for (const { uses = '', with: given } of job.steps ?? []) {
        const part = PARTS[/^\$\/([\w-]+)$/.exec(uses)?.[1] ?? ''];
        if (part === undefined) continue;
        const variable = /^\$\{\{ env\.(\w+) \}\}$/.exec(String(given?.['settings']))?.[1] ?? '';
        const value = String(job.env?.[variable] ?? given?.['settings']);
        const whole = new RegExp(
          `^\\$\\{\\{ (inputs\\.${part}|needs\\.settings\\.outputs\\.${part}| \\|\\| )+ \\}\\}$`,
        );
        expect({ [uses]: value }).toEqual({ [uses]: expect.stringMatching(whole) });
      }
      const called = calledBy(job);
      if (called === undefined || called.name === 'settings') continue;
      const parts = Object.keys(called.workflow.on.workflow_call?.inputs ?? {}).filter((input) =>
        [...Object.values(PARTS), 'image', 'runners'].includes(input),
      );
      for (const part of parts) {
        // The training’s image is the one that was built.
        if (/^train-/.test(called.name) && part === 'image') continue;
        expect(job.with?.[part]).toContain(`needs.settings.outputs.${part}`);
      }
    }
  });

  test('lets the settings say where each job runs, but the one that reads them', () => {
    for (const { id, job } of jobsOf(file)) {
      if (job.steps === undefined) continue;
      const place =
        name === 'settings' ? /^\$\{\{ fromJSON\(inputs\.runs-on\) \}\}$/ : /\brunners\)\.(default|train|server)\b/;
      expect({ [id]: job['runs-on'] }).toEqual({ [id]: expect.stringMatching(place) });
    }
    if (inputs['settings']) expect(inputs['runs-on']).toMatchObject({ default: '"ubuntu-latest"' });
  });

  test('asks no variable of the repository', () => {
    // Only so that old ones are found.
    expect(text.replace('toJSON(vars)', '')).not.toMatch(/\bvars\b/);
  });

  test('has a use for every input, and for every secret', () => {
    for (const input of Object.keys(inputs)) expect(text).toMatch(new RegExp(`\\binputs\\.${input}(?![\\w-])`));
    for (const secret of Object.keys(secrets)) expect(text).toContain(`secrets.${secret}`);
  });

  test('says the same to a form as to a caller', () => {
    const form = workflow.on.workflow_dispatch?.inputs ?? {};
    for (const [input, { description, default: usual }] of Object.entries(form)) {
      expect(inputs[input]).toMatchObject({ description, ...(usual === undefined ? {} : { default: usual }) });
    }
  });

  test('has in docs/workflows.md what a job that calls it must be allowed', () => {
    const needed = Object.entries(neededBy(file)).map(([scope, access]) => `\`${scope}: ${access}\``);
    const row = `| \`${name}.yml\` | ${needed.join(', ') || 'none (`{}`)'} |\n`;
    expect(readFileSync(join(ROOT, 'docs', 'workflows.md'), 'utf8').replaceAll('\r\n', '\n')).toContain(row);
  });

  test('never keys a concurrency group on its caller, with which it would wait for itself', () => {
    expect(text).not.toContain('github.workflow');
    const groups = concurrencyOf(file).map(({ group }) => group);
    const model = "fromJSON(inputs.publish || needs.settings.outputs.publish || '{}').model-name";
    expect(groups).toEqual(name === 'publish-model' ? [`publish-model-\${{ ${model} }}`] : []);
  });

  test('gives back nothing that comes from the file list', () => {
    for (const output of ['classes', 'archive-url', 'manifest-path', 'data-dir']) {
      expect(outputs).not.toHaveProperty(output);
      expect(text).not.toContain(`steps.prepare.outputs.${output} }}`);
    }
  });
});

test('no template waits in the same group as a workflow that it calls', () => {
  for (const file of templates) {
    const groups = [file.workflow.concurrency, ...jobsOf(file).map(({ job }) => job.concurrency)];
    for (const group of groups) expect(group?.group ?? '').not.toMatch(/^publish-model/);
  }
});

describe('consent to a promotion', () => {
  const expression = (text: string) => `\${{ ${text} }}`;
  const publishing = own.find(({ name }) => name === 'publish-model')?.workflow.jobs;

  test('is asked for by the job that promotes only, when the version is stored and has passed', () => {
    expect(publishing?.['store']).not.toHaveProperty('environment');
    expect(publishing?.['store']?.steps?.[0]?.with).toMatchObject({ promote: false });
    const environment = expression('fromJSON(inputs.publish || needs.settings.outputs.publish).environment');
    expect(publishing?.['promote']).toMatchObject({ needs: ['settings', 'store'], environment });
    expect(publishing?.['promote']?.if?.replaceAll(/\s+/g, ' ')).toContain(
      "needs.store.result == 'success' && inputs.promote && needs.store.outputs.gate-passed == 'true'",
    );
    for (const { workflow, name } of all) {
      for (const [id, job] of Object.entries(workflow.jobs)) {
        // A site of ours is nobody’s model.
        if (!['publish-model/promote', 'site/deploy'].includes(`${name}/${id}`))
          expect(job).not.toHaveProperty('environment');
      }
    }
  });

  test('is waited for in no group that another run or a roll-back needs', () => {
    expect(publishing?.['promote']).not.toHaveProperty('concurrency');
    const template = templates.find(({ name }) => name === 'pipeline')?.workflow;
    expect(template?.jobs['pipeline']?.with).toMatchObject({ promote: false });
    expect(template?.jobs['promote']?.with).toMatchObject({ 'check-again': 'as-stored' });
    // Neither this job nor a roll-back waits in a queue.
    const rollBack = templates.find(({ name }) => name === 'roll-back')?.workflow;
    const queues = [template?.concurrency, template?.jobs['promote']?.concurrency];
    expect([...queues, rollBack?.concurrency, rollBack?.jobs['roll-back']?.concurrency]).toEqual(
      [1, 2, 3, 4].map(() => undefined),
    );
  });

  test('is checked under the lock: what was stored is judged once more beside what is in production by then', () => {
    expect(publishing?.['promote']?.steps?.[0]?.with).toMatchObject({
      'promote-version': expression('needs.store.outputs.version || inputs.promote-version'),
      'check-again': expression("needs.store.outputs.version && 'as-stored' || inputs.check-again"),
    });
  });
});

test('the pipeline finds out beforehand whether it could publish, and whether its training could replace production', () => {
  const check = own.find(({ name }) => name === 'check')?.workflow.jobs['check'];
  const step = check?.steps?.find(({ uses }) => uses === '$/publish-model');
  expect(step?.with).toMatchObject({ check: true });
  // Both accounts: the one that trains is looked at with its own sign-in.
  for (const input of ['settings', 'owncloud-password', 'models-password']) expect(step?.with?.[input]).toMatch(/\S/);
  const training = own.find(({ name }) => name === 'train-model')?.text;
  expect(training).not.toContain('MODELS_PASSWORD');
});

describe('a GPU server', () => {
  const withServer = all.filter(({ text }) => /^ +mode: start$/m.test(text));
  const isServer = ({ uses = '' }: Step) => /\/gpu-server(@|$)/.test(uses);

  test('is started by a reusable workflow, and by a template', () => {
    expect(withServer.map(({ name }) => name)).toEqual(['train-attempt', 'train-on-gpu-server']);
  });

  describe.each(withServer)('of $path', ({ workflow: { jobs } }) => {
    const { settings: read, start, stop, ...others } = jobs;
    const settings = (job?: Job) => job?.steps?.find(isServer)?.with ?? {};

    test('is stopped whatever becomes of start and training, without any word of theirs', () => {
      expect(stop?.needs).toEqual([...(read ? ['settings'] : []), 'start', ...Object.keys(others)]);
      expect(stop?.if).toMatch(/^(\$\{\{ )?always\(\)/);
      expect(settings(stop)).toMatchObject({ mode: 'stop' });
      // A start that was killed has said nothing, and is stopped.
      const condition = stop?.if?.replace(/\s&& needs\.start\.outputs\.refused != 'true' \}\}$/, '');
      const told = JSON.stringify({ ...stop, if: condition, needs: [], outputs: {} }).replaceAll('needs.settings.', '');
      expect(told).not.toContain('needs.');
    });

    test('is stopped by those who started it: same place, same sign-in, same settings', () => {
      expect(stop?.['runs-on']).toEqual(start?.['runs-on']);
      const { mode, ...stopSettings } = settings(stop);
      expect(settings(start)).toMatchObject(stopSettings);
      const signIn = (job?: Job) => job?.steps?.filter((step) => step.uses && !isServer(step));
      expect(signIn(stop)).toEqual(signIn(start));
      expect(stop?.env).toEqual(start?.env);
    });
  });

  test('has the training’s key in its name, by default the artifact’s, which the pipeline hands on', () => {
    const { start, stop } = withServer.find(({ name }) => name === 'train-attempt')?.workflow.jobs ?? {};
    for (const job of [start, stop]) {
      const name = "inputs.key || inputs.artifact-name || fromJSON(env.TRAIN).artifact-name || 'model'";
      const further = "inputs.attempt > 1 && format('-retry-{0}', inputs.attempt) || ''";
      expect(job?.steps?.find(isServer)?.with).toMatchObject({ key: `\${{ format('{0}{1}', ${name}, ${further}) }}` });
    }
    expect(start?.outputs).toMatchObject({ refused: `\${{ steps.start.outputs.refused }}` });
    const pipeline = own.find(({ name }) => name === 'pipeline')?.workflow;
    for (const input of ['key', 'artifact-name']) {
      expect(pipeline?.jobs['train']?.with).toMatchObject({ [input]: `\${{ inputs.${input} }}` });
    }
    expect(pipeline?.on.workflow_dispatch?.inputs).not.toHaveProperty('key');
  });

  test('can be left out, and must not be used by a later attempt of the run, when it is gone', () => {
    const { start, train, stop } = withServer.find(({ name }) => name === 'train-attempt')?.workflow.jobs ?? {};
    for (const job of [start, stop]) expect(job?.if).toContain(".driver || 'none') != 'none'");
    expect(train?.if).toMatch(
      /^\$\{\{ !cancelled\(\) && contains\(fromJSON\('\["success","skipped"\]'\), needs\.start\.result\)/s,
    );
    expect(train?.['runs-on']).toMatch(/needs\.start\.result == 'skipped'\s&& fromJSON\(.*runners\)\.train/);
    const isOurs = 'needs.start.outputs.attempt == github.run_attempt';
    expect(train?.['runs-on']).toContain(`${isOurs} && needs.start.outputs.runs-on`);
    expect(train?.steps?.[0]).toMatchObject({
      if: `needs.start.result == 'success' && ${isOurs.replace('==', '!=')}`,
      run: expect.stringContaining('exit 1'),
    });
  });
});

describe('the pipeline trains only when something differs', () => {
  const jobs = own.find(({ name }) => name === 'pipeline')?.workflow.jobs ?? {};

  test('decides before any GPU server is started, on the runner of the small jobs, and knows what is trained', () => {
    const { decide, train } = jobs;
    expect(train?.needs).toContain('decide');
    expect(decide?.['runs-on']).toContain('runners).default');
    const given = decide?.steps?.[0]?.with ?? {};
    const trained = train?.with ?? {};
    for (const input of ['image', 'dataset', 'dataset-sha256', 'env']) {
      expect([input, given[input]]).toEqual([input, trained[input]]);
    }
    expect(given['settings']).toEqual(trained['train']);
  });

  test('trains when the decision says so or is left out, and never when it failed', () => {
    expect(jobs['train']?.if).toContain("(needs.decide.result == 'skipped' || needs.decide.outputs.train == 'true')");
    expect(jobs['decide']?.if).toContain('!inputs.force');
  });

  test('publishes what a run before has left, wherever it lies', () => {
    const { publish } = jobs;
    const decided = "needs.decide.result == 'success' && ";
    expect(publish?.if?.replaceAll(/\s+/g, ' ')).toContain(
      `${decided}(needs.decide.outputs.unpublished != '' || needs.decide.outputs.judge-version != '')`,
    );
    expect(publish?.with).toMatchObject({
      unpublished: expect.stringContaining(
        `needs.train.outputs.unpublished || ${decided}needs.decide.outputs.unpublished`,
      ),
      'judge-version': expect.stringContaining(`${decided}needs.decide.outputs.judge-version`),
    });
  });

  test('keeps what is not published now where a later run finds it, compared with production', () => {
    const { train } = jobs;
    expect(train?.with?.['keep-unpublished']).toBe(`\${{ !inputs.publish }}`);
  });

  test('asks for no consent to what was refused or is over', () => {
    const { promote } = own.find(({ name }) => name === 'publish-model')?.workflow.jobs ?? {};
    expect(promote?.if).toContain("needs.store.outputs.gate-passed == 'true'");
  });
});
