import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, readActionMetadata } from '../../scripts/action-metadata.ts';
import { MAX_FORM_INPUTS, variableOf, WORKFLOWS } from '../../scripts/workflow-inputs.ts';
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
const reusable = own.filter(({ workflow }) => workflow.on.workflow_call);

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
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
];

/** What each job may do with GitHub’s token: no more than it needs. A job that calls a workflow needs what that one needs. */
const PERMISSIONS: Readonly<Record<string, Permissions>> = {
  // A file list in the repository.
  'prepare-data/prepare': { contents: 'read' },
  'build-image/build': { contents: 'read', packages: 'write', attestations: 'write', 'id-token': 'write' },
  // Which runs are over, and Amazon’s trust in GitHub.
  'train-model/start': { actions: 'read', 'id-token': 'write' },
  'train-model/train': { packages: 'read' },
  'train-model/stop': { actions: 'read', 'id-token': 'write' },
  'publish-model/store': {},
  'publish-model/promote': {},
  'pipeline/check': { contents: 'read', packages: 'write' },
  'pipeline/decide': {},
  'try-it/try-it': { packages: 'write' },
  'pipeline/check-training': {},
  'release/draft': { contents: 'write' },
  'release/verify': { contents: 'read' },
  'release/publish': { contents: 'write', attestations: 'write', 'id-token': 'write' },
  'train-and-publish/train-and-publish': { packages: 'read' },
  // Which runs are over.
  'gpu-reaper/reap': { actions: 'read' },
  'train-on-gpu-server/start': { actions: 'read' },
  'train-on-gpu-server/train-and-publish': { packages: 'read' },
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

test('the five reusable workflows are there', () => {
  expect(reusable.map(({ name }) => name).sort()).toEqual(Object.keys(WORKFLOWS).sort());
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
    const everywhere = own.flatMap((other) => pins(other.text));
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
  const { fromVariables = [], alsoInForm = [], fromCaller = [] } = WORKFLOWS[name] ?? {};

  test('uses this repository by $/, which is the commit that it comes from itself', () => {
    expect(text).not.toContain('uses: ./');
    expect(text).not.toContain(`uses: ${ours}`);
  });

  test('hands every input of its actions and workflows on, or says why not', () => {
    const spec = WORKFLOWS[name];
    const expectAllGiven = (target: string, takes: readonly string[], given: Job['with'] = {}) => {
      const { except } = spec?.actions?.[target] ?? spec?.workflows?.[target] ?? { except: {} };
      expect(takes.filter((input) => !(input in given) && !except[input])).toEqual([]);
      expect(takes).toEqual(expect.arrayContaining(Object.keys(except)));
    };
    for (const { id, job } of jobsOf(file)) {
      const called = calledBy(job);
      if (called) expectAllGiven(called.name, Object.keys(called.workflow.on.workflow_call?.inputs ?? {}), job.with);
      for (const { id: step = '', uses = '', with: given } of job.steps ?? []) {
        // Not those that are parts of a workflow of ours, below .github.
        const action = /^\$\/(\w.+)/.exec(uses)?.[1];
        if (action === undefined) continue;
        // A step or a job that takes an action for something of its own has a list of its own.
        const own = [step, id, `${id}-publishing`].find((one) => spec?.actions?.[one]?.action === action);
        expectAllGiven(own ?? action, Object.keys(readActionMetadata(action).inputs), given);
      }
    }
  });

  test('has a use for every input, and for every secret', () => {
    for (const input of Object.keys(inputs)) expect(text).toMatch(new RegExp(`\\binputs\\.${input}(?![\\w-])`));
    for (const secret of Object.keys(secrets)) expect(text).toContain(`secrets.${secret}`);
  });

  test('takes from a variable what the form leaves out, and only that', () => {
    const form = Object.keys(workflow.on.workflow_dispatch?.inputs ?? {});
    const onlyFromVariables = fromVariables.filter((input) => !alsoInForm.includes(input));
    expect([...form, ...onlyFromVariables, ...fromCaller].sort()).toEqual(Object.keys(inputs).sort());
    expect(fromVariables).toEqual(expect.arrayContaining([...alsoInForm]));
    for (const input of fromVariables) {
      const variable = variableOf(input);
      expect(inputs[input]?.description).toContain(`Default: the variable \`${variable}\``);
      expect(inputs[input]?.default).toBeUndefined();
      expect(text).toMatch(new RegExp(`inputs\\.${input} \\|\\| (fromJSON\\()?vars\\.${variable}\\b`));
    }
    const variables = new Set([...text.matchAll(/\bvars\.(\w+)/g)].map(([, variable]) => variable));
    expect([...variables].sort()).toEqual(fromVariables.map(variableOf).sort());
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
    expect(groups).toEqual(name === 'publish-model' ? [`publish-model-\${{ inputs.model-name }}`] : []);
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
    expect(publishing?.['promote']).toMatchObject({ needs: 'store', environment: expression('inputs.environment') });
    expect(publishing?.['promote']?.if).toContain("needs.store.result == 'success' && inputs.promote");
    for (const { workflow, name } of all) {
      for (const [id, job] of Object.entries(workflow.jobs)) {
        if (`${name}/${id}` !== 'publish-model/promote') expect(job).not.toHaveProperty('environment');
      }
    }
  });

  test('is waited for in no group that another run or a roll-back needs', () => {
    expect(publishing?.['promote']).not.toHaveProperty('concurrency');
    for (const file of all) {
      for (const { job } of jobsOf(file)) {
        if (job.with?.['environment'] === undefined || file.name === 'pipeline') continue;
        expect([file.name, file.workflow.concurrency, job.concurrency]).toEqual([file.name, undefined, undefined]);
      }
    }
    const template = templates.find(({ name }) => name === 'pipeline')?.workflow;
    expect(template?.jobs['pipeline']?.with).toMatchObject({ promote: false });
    expect(template?.jobs['promote']?.with).toMatchObject({ 'check-again': 'as-stored' });
  });

  test('is checked under the lock: what was stored is judged once more beside what is in production by then', () => {
    expect(publishing?.['promote']?.steps?.[0]?.with).toMatchObject({
      'promote-version': expression('needs.store.outputs.version || inputs.promote-version'),
      'check-again': expression("needs.store.outputs.version && 'as-stored' || inputs.check-again"),
    });
  });
});

test('the pipeline finds out beforehand whether it could publish, and whether its training could replace production', () => {
  const check = own.find(({ name }) => name === 'pipeline')?.workflow.jobs['check'];
  const step = check?.steps?.find(({ uses }) => uses === '$/publish-model');
  expect(step?.with).toMatchObject({ check: true });
  // Both accounts: the one that trains is looked at with its own sign-in.
  for (const input of ['owncloud-username', 'owncloud-password', 'models-username', 'models-password']) {
    expect(step?.with?.[input]).toMatch(/\S/);
  }
  const training = own.find(({ name }) => name === 'train-model')?.text;
  expect(training).not.toContain('MODELS_PASSWORD');
});

describe('a GPU server', () => {
  const withServer = all.filter(({ text }) => /^ +mode: start$/m.test(text));
  const isServer = ({ uses = '' }: Step) => /\/gpu-server(@|$)/.test(uses);

  test('is started by a reusable workflow, and by a template', () => {
    expect(withServer.map(({ name }) => name)).toEqual(['train-model', 'train-on-gpu-server']);
  });

  describe.each(withServer)('of $path', ({ workflow: { jobs } }) => {
    const { start, stop, ...others } = jobs;
    const settings = (job?: Job) => job?.steps?.find(isServer)?.with ?? {};

    test('is stopped whatever becomes of start and training, without any word of theirs', () => {
      expect(stop?.needs).toEqual(['start', ...Object.keys(others)]);
      expect(stop?.if).toMatch(/^(\$\{\{ )?always\(\)/);
      expect(settings(stop)).toMatchObject({ mode: 'stop' });
      // A start that was killed has said nothing, and is stopped.
      const condition = stop?.if?.replace(/ && needs\.start\.outputs\.refused != 'true' \}\}$/, '');
      expect(JSON.stringify({ ...stop, if: condition, needs: [] })).not.toContain('needs.');
    });

    test('is stopped by those who started it: same place, same sign-in, same settings', () => {
      expect(stop?.['runs-on']).toEqual(start?.['runs-on']);
      const { mode, ...stopSettings } = settings(stop);
      expect(settings(start)).toMatchObject(stopSettings);
      const signIn = (job?: Job) => job?.steps?.filter((step) => step.uses && !isServer(step));
      expect(signIn(stop)).toEqual(signIn(start));
    });
  });

  test('has the training’s key in its name, by default the artifact’s, which the pipeline hands on', () => {
    const { start, stop } = withServer.find(({ name }) => name === 'train-model')?.workflow.jobs ?? {};
    for (const job of [start, stop]) {
      expect(job?.steps?.find(isServer)?.with).toMatchObject({ key: `\${{ inputs.key || inputs.artifact-name }}` });
    }
    expect(start?.outputs).toMatchObject({ refused: `\${{ steps.start.outputs.refused }}` });
    const pipeline = own.find(({ name }) => name === 'pipeline')?.workflow;
    expect(pipeline?.jobs['train']?.with).toMatchObject({ key: `\${{ inputs.key }}` });
    expect(pipeline?.on.workflow_dispatch?.inputs).not.toHaveProperty('key');
  });

  test('can be left out, and must not be used by a later attempt of the run, when it is gone', () => {
    const { start, train, stop } = withServer.find(({ name }) => name === 'train-model')?.workflow.jobs ?? {};
    for (const job of [start, stop]) expect(job?.if).toContain("(inputs.driver || vars.DRIVER || 'none') != 'none'");
    expect(train?.if).toMatch(/^\$\{\{ !cancelled\(\) && .*'success'.*'skipped'/);
    expect(train?.['runs-on']).toContain("needs.start.result == 'skipped' && inputs.runs-on");
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
    const { decide, train, check } = jobs;
    expect(train?.needs).toContain('decide');
    expect(decide?.['runs-on']).toEqual(check?.['runs-on']);
    const given = decide?.steps?.[0]?.with ?? {};
    const trained = train?.with ?? {};
    const same = [
      'image',
      'dataset',
      'dataset-sha256',
      'gpus',
      'train-command',
      'test-command',
      'env',
      'network',
      'owncloud-folder',
    ];
    for (const input of same) expect([input, given[input]]).toEqual([input, trained[input]]);
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
    expect(train?.with?.['compare-with']).not.toContain('inputs.publish');
  });

  test('asks for no consent to what was refused or is over', () => {
    const { promote } = own.find(({ name }) => name === 'publish-model')?.workflow.jobs ?? {};
    expect(promote?.if).toContain("needs.store.outputs.gate-passed == 'true'");
  });
});
