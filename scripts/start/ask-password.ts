import { stdin, stdout } from 'node:process';

const ENTER = /[\r\n]/;
const BACKSPACE = /[\b\u007f]/;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

/** Asks for a password at the terminal without showing it; `undefined` when the person gives up with Ctrl-C. */
export function askPassword(question: string): Promise<string | undefined> {
  // Before the question: what is typed at once must not show either.
  stdin.setRawMode(true).setEncoding('utf8').resume();
  stdout.write(question);
  return new Promise((resolve) => {
    let typed = '';
    function end(answer: string | undefined): void {
      stdin.off('data', read).setRawMode(false).pause();
      stdout.write('\n');
      resolve(answer);
    }
    function read(text: string): void {
      for (const key of text) {
        if (ENTER.test(key) || key === CTRL_D || key === CTRL_C) {
          end(key === CTRL_C ? undefined : typed);
          return;
        }
        typed = BACKSPACE.test(key) ? [...typed].slice(0, -1).join('') : typed + key;
      }
    }
    stdin.on('data', read);
  });
}
