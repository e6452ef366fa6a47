/** To whom self-hosted runners belong: a repository, or the organisation that it is in. */
export type RunnerOwner =
  | { readonly scope: 'repository'; readonly owner: string; readonly name: string }
  | { readonly scope: 'organization'; readonly owner: string };

/** The owner of the runners of a repository (`owner/name`). */
export function runnerOwner(scope: RunnerOwner['scope'], repository: string): RunnerOwner {
  const [owner = '', name = ''] = repository.split('/');
  return scope === 'repository' ? { scope, owner, name } : { scope, owner };
}

/** Where the API has an owner's runners: `/repos/…/actions` or `/orgs/…/actions`. */
export function actionsPath(owner: RunnerOwner): string {
  return `${ownerPath(owner)}/actions`;
}

export function installationPath(owner: RunnerOwner): string {
  return `${ownerPath(owner)}/installation`;
}

function ownerPath(owner: RunnerOwner): string {
  return owner.scope === 'repository'
    ? `/repos/${encodeURIComponent(owner.owner)}/${encodeURIComponent(owner.name)}`
    : `/orgs/${encodeURIComponent(owner.owner)}`;
}

/** What managing an owner's runners takes (docs.github.com, “Permissions required for GitHub Apps”). */
export function runnerPermissions(owner: RunnerOwner): {
  readonly app: Record<string, 'write'>;
  readonly sentence: string;
} {
  return owner.scope === 'repository'
    ? { app: { administration: 'write' }, sentence: '“Administration: read and write” for the repository' }
    : {
        app: { organization_self_hosted_runners: 'write' },
        sentence: '“Self-hosted runners: read and write” for the organisation',
      };
}
