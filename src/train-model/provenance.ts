/** From what a model was made. */
export interface Provenance {
  readonly image: string;
  readonly imageDigest: string | undefined;
  readonly dataset: { readonly name: string; readonly sha256: string | undefined; readonly seed: string | undefined };
  readonly engine: string;
  readonly trainCommand: string;
  readonly testCommand: string;
}

/** `provenance.json`. It holds no address, no date and no setting that may be a secret. */
export function provenanceJson({ image, imageDigest, dataset, ...rest }: Provenance): string {
  const { engine, trainCommand, testCommand } = rest;
  const description = {
    format: 1,
    image,
    image_digest: imageDigest ?? null,
    dataset: { sha256: dataset.sha256 ?? null, seed: dataset.seed ?? null, name: dataset.name },
    engine,
    train_command: trainCommand,
    test_command: testCommand,
  };
  return `${JSON.stringify(description, null, 2)}\n`;
}
