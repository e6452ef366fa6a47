import type { ProgramResult } from '../runner/exec.ts';

/** What became of a script: its own result, or that it took too long; `undefined` when it never came to its end. */
export type ScriptResult = ProgramResult | 'hung' | undefined;

/**
 * A script as it goes to a host, for `sh -s`: by standard input, so that nobody on that machine reads it in an argv, and
 * so that it does not matter whether the user's login shell is sh, csh, tcsh or fish. It is one compound command: the half
 * of a connection that broke does nothing.
 *
 * Its answer stands between marks, as login shells say things of their own. It ends itself after its time, with all of
 * its process group, because ending `ssh` ends nothing on the other side.
 *
 * @param mark a word that nobody else can print
 * @param seconds how long it may take
 * @param input what the script reads; a secret may come this way
 */
export function framed(script: string, mark: string, seconds: number, input: string): string {
  return `{
(
  n=0
  while [ "$n" -lt ${Math.max(1, Math.ceil(seconds))} ]; do
    sleep 1 </dev/null >/dev/null 2>&1
    n=$((n + 1))
  done
  trap '' TERM
  printf '\\n%s hung\\n' ${mark}
  exec >/dev/null 2>&1
  kill -s TERM 0
  sleep 3
  kill -s KILL 0
) &
guard=$!
trap : TERM
printf '%s\\n' ${mark}
printf '%s\\n' ${mark} >&2
(
${script}
) <<'${mark}'
${input}
${mark}
code=$?
{ kill -s KILL "$guard"; wait "$guard"; } 2>/dev/null
printf '\\n%s %s\\n' ${mark} "$code"
exit "$code"
}
`;
}

/** Reads what a framed script has printed. */
export function unframed({ stdout, stderr }: Pick<ProgramResult, 'stdout' | 'stderr'>, mark: string): ScriptResult {
  if (stdout.includes(`\n${mark} hung\n`)) return 'hung';
  const [, said, code] = new RegExp(`^(.*)\n${mark} (\\d+)\n`, 's').exec(after(stdout, mark)) ?? [];
  if (said === undefined) return undefined;
  return { exitCode: Number(code), stdout: said, stderr: after(stderr, mark) };
}

/** What comes after the first mark: all of it when so much was printed that the mark is no longer there. */
function after(text: string, mark: string): string {
  const begin = text.indexOf(`${mark}\n`);
  return begin < 0 ? text : text.slice(begin + mark.length + 1);
}
