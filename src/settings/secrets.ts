/** `secret NAME`: where a value is to come from. */
const REFERENCE = /^secret\s+([A-Za-z_][A-Za-z0-9_]*)$/;

/** The name of the secret that a text refers to; `undefined` when it is none. */
export function secretName(text: string): string | undefined {
  return REFERENCE.exec(text.trim())?.[1];
}

/**
 * Why a text can't stand where a secret belongs; `undefined` when it can. It is never quoted.
 *
 * @param name under which the workflows take this secret
 */
export function whyNoSecret(text: string, name: string, inWorkflow: boolean): string | undefined {
  const found = secretName(text);
  if (found === undefined) {
    return `a secret belongs here, and never its value: write “secret ${name}”, and store the value as the secret ${name} (Settings, Secrets and variables, Actions). If this file was pushed with it, change it: it is known.`;
  }
  if (!inWorkflow || found === name) return undefined;
  return `names the secret ${found}, and the workflows take it as ${name}: write “secret ${name}”, and hand yours on in the workflow that calls: ${name}: \${{ secrets.${found} }}`;
}
