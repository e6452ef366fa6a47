import { createHash, randomUUID } from 'node:crypto';
import { runOf, serverName } from '../model/server-name.ts';
import type { Limits } from './driver-context.ts';
import { shellQuote } from './host.ts';

/**
 * What the command driver runs on its host, as texts for `sh`, in which the user's commands stand.
 *
 * Files of one server, in a folder that only the user can read (where each name has a server of its own, the folder has
 * one for each):
 * - `owner`          whose server it is, for the timer too: token, name, deadline and start (seconds since 1970)
 * - `<token>/`       the timer of that start: its program `timer`, and `stop` and `status` for it
 * - `<token>/asked`  a stop has been asked for: a start-command that comes late must not run
 * - `start`, `start.pid`, `start.log`  the start-command while it runs
 */
export interface CommandFiles {
  /** Shell text that gives the folder. */
  readonly folder: string;
}

/** Whose server it is, as `owner` says. */
export interface Owner {
  readonly token: string;
  readonly name: string;
  /** Seconds since 1970, by the host's clock. */
  readonly deadline: number;
  readonly started: number;
}

/** Exit codes of ours, for what is no failure of a user's command. */
export const EXIT = { timerIsGone: 90, belongsToAnother: 91, wasStopped: 92, noFolder: 93 } as const;

/** Ends a script because the server is another’s, and says whose. */
const REFUSE = `printf '%s\\n' "$owned"; exit ${EXIT.belongsToAnother}`;

/** How often the timer looks whether it is still wanted, and waits before it tries a stop again, in seconds. */
const TIMER_STEP = 5;
const TIMER_TRIES = 5_000;

/** The folder of what one stop-command stops, which is the same for every run. */
export function filesOf(repository: string, stopCommand: string, localFolder: string | undefined): CommandFiles {
  const key = createHash('sha256').update(`${repository}\n${stopCommand}`).digest('hex').slice(0, 16);
  const base = localFolder === undefined ? `"\${XDG_STATE_HOME:-$HOME/.local/state}"` : shellQuote(localFolder);
  return { folder: `${base}/diatom-gpu-server/${key}` };
}

/** Where one stop-command stops a server of its own for each name, the folder of one of them. */
export function filesOfName({ folder }: CommandFiles, name: string): CommandFiles {
  return { folder: `${folder}/${shellQuote(name)}` };
}

/** Prints the names of the servers that have a folder of their own and a timer, one a line, and tidies up. */
export function namesScript(files: CommandFiles): string {
  return script(files, [
    'find "$dir" -mindepth 1 -maxdepth 1 -type d -empty -mmin +10 -exec rmdir -- {} + 2>/dev/null',
    'for file in "$dir"/*/owner; do [ ! -s "$file" ] || { read -r _ owned _ <"$file"; printf "%s\\n" "$owned"; }; done',
    'exit 0',
  ]);
}

/**
 * Arms the timer that ends the server at its deadline, in place of the one of an earlier start; but not in place of
 * another training’s in the same attempt of the same run, whose name is printed then.
 */
export function armScript(
  files: CommandFiles,
  start: { readonly token: string; readonly name: string; readonly seconds: number },
  commands: { readonly stop: string; readonly status: string; readonly limits: Limits },
): string {
  const { token, name, seconds } = start;
  const run = runOf(name);
  const attempt = run ? serverName({ ...run, key: '' }) : name;
  return script(files, [
    // What a machine that broke down had not written yet.
    '[ -s "$dir/owner" ] || rm -f "$dir/owner"',
    ...ownerOrExit(undefined),
    `case $owned in ${attempt} | ${attempt}-*) ${REFUSE} ;; esac`,
    `own="$dir/${token}"`,
    'mkdir -p "$own" || exit 1',
    writeFile('$own/stop', commands.stop),
    writeFile('$own/status', commands.status),
    writeFile('$own/timer', timerProgram(commands.limits)),
    `now=$(date +%s); deadline=$((now + ${Math.ceil(seconds)}))`,
    `echo "${token} ${name} $deadline $now" > "$own/owner" || exit 1`,
    // A link is made by one only, of two that find no owner at the same moment.
    'if [ -z "$owner" ] && ln "$own/owner" "$dir/owner" 2>/dev/null; then rm -f "$own/owner"',
    `elif [ -z "$owner" ] && [ -e "$dir/owner" ]; then rm -rf "$own"; read -r _ owned _ <"$dir/owner"; ${REFUSE}`,
    'else mv "$own/owner" "$dir/owner" || exit 1; fi',
    'for old in "$dir"/*/; do [ "$old" = "$own/" ] || rm -rf "$old"; done',
    // A session of its own: it outlives this connection.
    "if command -v setsid >/dev/null; then detach='setsid'; else detach='nohup'; fi",
    `$detach sh "$own/timer" "$dir" ${token} "$deadline" ${name} </dev/null >"$own/log" 2>&1 &`,
    'for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$own/pid" ] && break; sleep 0.2 2>/dev/null || sleep 1; done',
    '[ -s "$own/pid" ]',
  ]);
}

/** Runs the start-command, in a session of its own so that a stop can end it with all that it started. */
export function startScript(
  files: CommandFiles,
  command: string,
  variables: Readonly<Record<string, string>>,
  token: string | undefined,
): string {
  return script(files, [
    ...(token === undefined
      ? []
      : [
          `own="$dir/${token}"`,
          `kill -0 "$(cat "$own/pid")" 2>/dev/null || exit ${EXIT.timerIsGone}`,
          `read -r owner owned _ <"$dir/owner" && [ "$owner" = ${token} ] || { ${REFUSE}; }`,
          `[ ! -e "$own/asked" ] || exit ${EXIT.wasStopped}`,
        ]),
    ...exported(variables),
    writeFile('$dir/start', `echo $$ >${'"$DIATOM_STATE/start.pid"'}\nunset DIATOM_STATE\n${command}`),
    'DIATOM_STATE=$dir; export DIATOM_STATE',
    'if setsid -w true 2>/dev/null; then session="setsid -w"; else session=; fi',
    // Into a file: a server that it leaves running would hold a pipe open, and this would never end.
    '$session sh "$dir/start" </dev/null >"$dir/start.log" 2>&1',
    'code=$?',
    'tail -c 2000 "$dir/start.log"',
    'rm -f "$dir/start" "$dir/start.pid" "$dir/start.log"',
    'exit "$code"',
  ]);
}

/** Ends a start-command that still runs, and runs the stop-command, unless another run has started the server since. */
export function stopScript(files: CommandFiles, command: string, name: string): string {
  return script(files, [
    ...ownerOrExit(name),
    '[ -z "$owner" ] || { mkdir -p "$dir/$owner"; touch "$dir/$owner/asked"; }',
    END_START,
    'end_start',
    ...exported({ DIATOM_SERVER_NAME: name }),
    ...runCommand(command),
    'exit "$code"',
  ]);
}

/**
 * Runs the status-command, and says after it whose server it is. A timer is disarmed when it says “stopped” after a
 * stop was asked for, and not before: until then it is the timer that makes sure of the end.
 *
 * @param name of the server that is asked for; `undefined` for whichever it is
 */
export function statusScript(files: CommandFiles, command: string, name: string | undefined): string {
  return script(files, [
    ...ownerOrExit(name),
    `DIATOM_SERVER_NAME=\${owned:-${shellQuote(name ?? '')}}; export DIATOM_SERVER_NAME`,
    ...runCommand(command, 'said'),
    'if [ "$code" -eq 0 ] && [ "$said" = stopped ] && [ -n "$owner" ] && [ -e "$dir/$owner/asked" ]; then',
    '  rm -rf "$dir/owner" "$dir/$owner"',
    'fi',
    'printf "%s\\n" "$said"',
    '[ -z "$owner" ] || echo "DIATOM-OWNER $owner $owned $deadline $started"',
    'exit "$code"',
  ]);
}

/** Reads what `statusScript` prints. */
export function parseStatus(stdout: string): { readonly said: string; readonly owner: Owner | undefined } {
  const [, said = '', token, name, deadline, started] =
    /^(.*?)(?:\n?DIATOM-OWNER (\S+) (\S+) (\d+) (\d+)\n)?$/s.exec(stdout) ?? [];
  const owner =
    token === undefined || name === undefined
      ? undefined
      : { token, name, deadline: Number(deadline), started: Number(started) };
  return { said: said.trim(), owner };
}

function script({ folder }: CommandFiles, lines: readonly string[]): string {
  return ['umask 077', `dir=${folder}`, `mkdir -p "$dir" || exit ${EXIT.noFolder}`, ...lines].join('\n');
}

/** `owner`, `owned` (its name), `deadline` and `started`, all empty when it is nobody's. */
function ownerOrExit(name: string | undefined): string[] {
  return [
    "owner='' owned='' deadline='' started=''",
    '[ ! -e "$dir/owner" ] || read -r owner owned deadline started <"$dir/owner"',
    ...(name === undefined
      ? []
      : [`[ -z "$owned" ] || [ "$owned" = ${shellQuote(name)} ] || exit ${EXIT.belongsToAnother}`]),
  ];
}

/** Runs a command as a file of its own, with nothing to read; what it prints goes into the variable, if one is named. */
function runCommand(command: string, variable?: string): string[] {
  const run = 'sh "$file" </dev/null';
  return [
    'file="$dir/command.$$"',
    writeFile('$file', command),
    variable === undefined ? run : `${variable}=$(${run})`,
    'code=$?',
    'rm -f "$file"',
  ];
}

function exported(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).map(([name, value]) => `${name}=${shellQuote(value)}; export ${name}`);
}

function writeFile(path: string, text: string): string {
  const mark = `DIATOM_${randomUUID()}`;
  return `cat >"${path}" <<'${mark}'\n${text}\n${mark}`;
}

/** Ends a start-command that still runs: otherwise it could start the server after it was stopped. */
const END_START = [
  'end_start() {',
  '  [ -s "$dir/start.pid" ] || return 0',
  '  pid=$(cat "$dir/start.pid")',
  // After a restart of the machine the number may be another program's.
  '  case $(ps -o args= -p "$pid" 2>/dev/null) in *"$dir/start"*) ;; *) rm -f "$dir/start.pid"; return 0 ;; esac',
  '  for signal in TERM TERM TERM KILL; do',
  '    kill -s "$signal" -- "-$pid" 2>/dev/null || kill -s "$signal" "$pid" 2>/dev/null || break',
  '    sleep 1',
  '  done',
  '  rm -f "$dir/start" "$dir/start.pid"',
  '}',
].join('\n');

/** Runs a file, and ends it with its process group after so many seconds. */
const LIMITED = [
  'if setsid true 2>/dev/null; then session=setsid; else session=; fi',
  'limited() {',
  '  $session sh "$2" </dev/null &',
  '  work=$! left=$1',
  '  while kill -0 "$work" 2>/dev/null; do',
  '    if [ "$left" -le 0 ]; then kill -s KILL -- "-$work" 2>/dev/null || kill -s KILL "$work"; fi',
  '    sleep 1',
  '    left=$((left - 1))',
  '  done',
  '  wait "$work"',
  '}',
].join('\n');

/** What ends the server at its deadline. A command of the user that hangs does not keep it from trying again. */
function timerProgram({ stopMs, answerMs }: Limits): string {
  return [
    'umask 077',
    'dir=$1 token=$2 deadline=$3 DIATOM_SERVER_NAME=$4; export DIATOM_SERVER_NAME',
    'own="$dir/$token"',
    'mine() { [ -s "$dir/owner" ] && read -r owner _ <"$dir/owner" && [ "$owner" = "$token" ]; }',
    END_START,
    LIMITED,
    'echo $$ >"$own/pid"',
    'while mine; do',
    '  left=$((deadline - $(date +%s)))',
    '  [ "$left" -gt 0 ] || break',
    // In small steps by the clock: a machine that slept must not come late.
    `  [ "$left" -lt ${TIMER_STEP} ] || left=${TIMER_STEP}`,
    '  sleep "$left"',
    'done',
    'tries=0',
    `while mine && [ "$tries" -lt ${TIMER_TRIES} ]; do`,
    '  tries=$((tries + 1))',
    '  touch "$own/asked"',
    '  end_start',
    `  limited ${Math.ceil(stopMs / 1_000)} "$own/stop"`,
    `  limited ${Math.ceil(answerMs / 1_000)} "$own/status" >"$own/said"`,
    '  if [ "$(cat "$own/said")" = stopped ]; then mine && rm -f "$dir/owner"; break; fi',
    `  sleep ${TIMER_STEP}`,
    'done',
    'rm -rf "$own"',
  ].join('\n');
}
