import { described, secret, text, words } from './kinds.ts';

/** What build-image.yml takes; no action.yml describes it. */
export const BUILD_IMAGE = {
  context: described(
    'The folder in your repository that holds `Dockerfile`, `train.py` and `test.py`. Empty: `model`, and when your repository has no such folder, the template of Diatom Actions (`templates/model`).',
    text(),
  ),
  registry: described(
    'Where the image goes.',
    text({
      fallback: 'ghcr.io',
      pattern: /^[A-Za-z0-9.-]+(:\d{1,5})?$/,
      allowed: 'a host such as ghcr.io or registry.example.org:5000',
    }),
  ),
  'registry-username': described('User name for the registry. Not needed for `ghcr.io`.', text()),
  'registry-password': described('Password or token for the registry.', secret('REGISTRY_PASSWORD')),
  'image-name': described(
    'Name of the image, without registry and tag. Empty: that of your repository with `/model` at its end.',
    text({ pattern: /^[\w./-]+$/, allowed: 'a name such as lab/model, without registry and tag' }),
  ),
  tags: described(
    'Tags, one rule a line, as docker/metadata-action has them. Empty: date and time, the commit, the Git tag, and `latest` on the default branch.',
    text({ form: { list: '\n' } }),
  ),
  'build-args': described(
    'Build arguments, a map or one `NAME=value` a line, such as `BASE_IMAGE=pytorch/pytorch@sha256:…`. Never a secret: they can be read in the image’s provenance.',
    text({ form: 'pairs', allowed: 'a map, or one NAME=value a line' }),
  ),
  platforms: described(
    'What the image is built for, such as `linux/amd64,linux/arm64`.',
    text({ fallback: 'linux/amd64', form: { list: ',' } }),
  ),
  cache: described(
    'Where the layers of earlier builds are kept: `registry` (beside the image, with the tag `buildcache`), `gha` (GitHub’s cache, 10 GB a repository) or `none`.',
    words(['registry', 'gha', 'none'], 'registry'),
  ),
  attest: described(
    'Whether GitHub signs where the image comes from: `true`, `false`, or `auto`, which is `true` in public repositories. Others need GitHub Enterprise Cloud for it.',
    words(['auto', 'true', 'false'], 'auto'),
  ),
  sbom: described(
    'Whether a list of all software in the image (SBOM) is stored beside it. `false` is faster by minutes for images of several GB.',
    words(['true', 'false'], 'true'),
  ),
  provenance: described(
    'How much is stored beside the image about its build: `max`, `min` (without the values of build arguments and the steps), or `false`.',
    words(['max', 'min', 'false'], 'max'),
  ),
  'registry-ca': described(
    'For a registry whose certificate comes from an authority of your institution’s own, that authority’s certificate, as PEM. It is no secret.',
    text({ pattern: /-----BEGIN CERTIFICATE-----/, allowed: 'a certificate as PEM, with its first and last line' }),
  ),
  'buildkit-image': described('The image of BuildKit, which builds. Empty: `moby/buildkit` of Docker Hub.', text()),
  'sbom-generator': described(
    'The image that makes the SBOM. Empty: Docker Hub’s `docker/buildkit-syft-scanner`.',
    text(),
  ),
};
