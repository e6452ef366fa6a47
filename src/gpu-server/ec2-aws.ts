import { DiatomError } from '../errors.ts';
import { askCloud, type CallOptions, hide, lastLine } from './cloud-tool.ts';
import type { DriverContext } from './driver-context.ts';

/** Checked at a launch where a disk is encrypted with a key of one’s own (EBS user guide, “Requirements for EBS encryption”). */
const DISK_KEY = [
  'kms:CreateGrant',
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncrypt*',
] as const;

/**
 * All that is ever asked of AWS: the commands of the CLI, each with the actions that IAM has to allow for it. The
 * policy in docs/gpu-server-ec2.md is made of these, and a test keeps it so.
 */
export const AWS_OPERATIONS = {
  'ec2 describe-instances': ['ec2:DescribeInstances'],
  'ec2 describe-images': ['ec2:DescribeImages'],
  'ec2 describe-spot-instance-requests': ['ec2:DescribeSpotInstanceRequests'],
  'ec2 describe-spot-price-history': ['ec2:DescribeSpotPriceHistory'],
  'ec2 get-console-output': ['ec2:GetConsoleOutput'],
  // A launch with tags, and with a role for the instance, is checked against these two as well.
  'ec2 run-instances': ['ec2:RunInstances', 'ec2:CreateTags', 'iam:PassRole', ...DISK_KEY],
  'ec2 start-instances': ['ec2:StartInstances', ...DISK_KEY],
  'ec2 stop-instances': ['ec2:StopInstances'],
  'ec2 terminate-instances': ['ec2:TerminateInstances'],
  'ec2 cancel-spot-instance-requests': ['ec2:CancelSpotInstanceRequests'],
  'ec2 create-tags': ['ec2:CreateTags'],
  'ec2 delete-tags': ['ec2:DeleteTags'],
  'pricing get-products': ['pricing:GetProducts'],
  'ssm get-parameter': ['ssm:GetParameter'],
  'scheduler create-schedule': ['scheduler:CreateSchedule', 'iam:PassRole'],
  'scheduler delete-schedule': ['scheduler:DeleteSchedule'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type AwsOperation = keyof typeof AWS_OPERATIONS;

/** AWS refused, or did not answer. `awsCode` is its word for it, such as `InsufficientInstanceCapacity`; `''` for none. */
export class AwsError extends DiatomError {
  readonly awsCode: string;

  constructor(message: string, awsCode: string) {
    super('SERVER', message);
    this.name = 'AwsError';
    this.awsCode = awsCode;
  }
}

/** Asks AWS something in one region, and returns its JSON answer; `undefined` when the answer is empty. */
export type Aws = (
  operation: AwsOperation,
  region: string,
  args: readonly string[],
  options?: CallOptions,
) => Promise<unknown>;

/** In seconds, for each of its tries. A region that does not answer must not hold up the stop in the others for long. */
const TIMEOUTS = ['--cli-connect-timeout', '10', '--cli-read-timeout', '60'];

/**
 * The `aws` program, version 1 or 2, which brings its own retries and finds its credentials in the environment as
 * `aws-actions/configure-aws-credentials` leaves them there.
 *
 * A call throws AwsError with what to do about it, or DiatomError `CANCELLED`.
 */
export function openAws({ env, signal, limits }: Pick<DriverContext, 'env' | 'signal' | 'limits'>): Aws {
  const environment: Record<string, string> = {
    // “standard” tries again on throttling and on faults of the connection (AWS SDKs guide, “Retry behavior”).
    AWS_RETRY_MODE: 'standard',
    AWS_MAX_ATTEMPTS: '3',
  };
  for (const [name, value] of Object.entries(env)) if (value !== undefined) environment[name] = value;
  Object.assign(environment, { AWS_PAGER: '', AWS_CLI_AUTO_PROMPT: 'off' });
  return async (operation, region, args, { secrets = [], finish = false } = {}) => {
    const { exitCode, stdout, stderr } = await askCloud(
      'aws',
      [...operation.split(' '), ...args, '--region', region, '--output', 'json', ...TIMEOUTS],
      { env: environment, signal, limitMs: limits.answerMs, finish },
      // As a fault of this region: the others are dealt with anyway.
      (why) => new AwsError(`${why} It was to ask AWS in ${region} (${operation}).`, ''),
    );
    if (exitCode !== 0) throw failureOf(operation, region, hide(stderr, secrets));
    if (stdout.trim() === '') return undefined;
    try {
      return JSON.parse(stdout);
    } catch {
      throw new AwsError(`The answer of “aws ${operation}” in ${region} is not JSON: is “aws” the AWS CLI?`, '');
    }
  };
}

/** What a refusal means for whoever set this up, by AWS’s error code (EC2 API reference, “Error codes”). */
const REMEDIES: readonly (readonly [codes: RegExp, remedy: string])[] = [
  [
    /^(UnauthorizedOperation|AccessDenied|AccessDeniedException)$/,
    'The role that this run signs in with may not do that: compare its policy with the one in docs/gpu-server-ec2.md.',
  ],
  [
    /^(AuthFailure|InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|OptInRequired)$/,
    'The credentials are wrong, or the region is not switched on for this account: check the step with aws-actions/configure-aws-credentials, and the input ec2-regions.',
  ],
  [
    /^(RequestExpired|ExpiredToken|ExpiredTokenException)$/,
    'The credentials have expired: let aws-actions/configure-aws-credentials run in the same job, directly before this step.',
  ],
  [
    /^ParameterNotFound$|^Invalid(AMIID|Subnet|SubnetID|Group|GroupId|KeyPair|LaunchTemplate\w*|InstanceID|AvailabilityZone)\b/,
    'Ids are those of one region: check the ec2-… inputs against this region.',
  ],
  [
    /^(RequestLimitExceeded|Throttling\w*)$/,
    'AWS gets too many requests from this account at the moment: run this job again in some minutes.',
  ],
];

function failureOf(operation: AwsOperation, region: string, stderr: string): AwsError {
  const [, code = '', text = ''] =
    /An error occurred \(([^)]+)\) when calling the \w+ operation[^:]*: (.*)/s.exec(stderr) ?? [];
  if (code === '') return new AwsError(`${whyNoAnswer(region, stderr)} (aws ${operation}: ${lastLine(stderr)})`, '');
  // What follows is a page of letters that only AWS can read.
  const [said = ''] = text.trim().split(/\s*Encoded authorization failure message/);
  const remedy = REMEDIES.find(([codes]) => codes.test(code))?.[1];
  return new AwsError(
    `AWS refuses “${operation}” in ${region} (${code}): ${said}${remedy === undefined ? '' : ` ${remedy}`}`,
    code,
  );
}

function whyNoAnswer(region: string, stderr: string): string {
  if (/unable to locate credentials|partial credentials|config profile/i.test(stderr)) {
    return 'There are no credentials for AWS: let aws-actions/configure-aws-credentials run in this job before this step.';
  }
  if (/could not connect|connect timeout|read timeout|connection was closed|failed to connect|ssl/i.test(stderr)) {
    return `AWS can’t be reached in ${region}: check the network of this runner, and the input ec2-regions.`;
  }
  return `The AWS CLI fails in ${region}.`;
}
