/** `secret NAME`: where a value is to come from. */
const REFERENCE = /^secret\s+([A-Za-z_][A-Za-z0-9_]*)$/;

/** The name of the secret that a text refers to; `undefined` when it refers to none. */
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
  // GitHub’s own names of secrets know no small letters.
  if (found !== undefined && (!inWorkflow || found.toUpperCase() === name)) return undefined;
  if (found !== undefined && /^[A-Z][A-Z0-9_]*$/.test(found)) {
    return `names the secret ${found}, and the workflows take it as ${name}: write “secret ${name}”, and hand yours on in the workflow that calls: ${name}: \${{ secrets.${found} }}`;
  }
  // With small letters it is rather the value than a name.
  if (found === undefined && (text.includes('${{') || text.toUpperCase().includes(name))) {
    return `a secret is written “secret ${name}” here, in just this form: nothing is filled in for \${{ … }}, $… or secrets.…`;
  }
  return `a secret belongs here, and never its value: write “secret ${name}”, just so, and store the value as the secret ${name} (Settings, Secrets and variables, Actions). If this file was pushed with it, change it: it is known.`;
}
