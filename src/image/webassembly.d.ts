/** What of WebAssembly is used; the rest of it, TypeScript only knows of browsers. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, () => number>>>>);
    readonly exports: object;
  }
  class Memory {
    readonly buffer: ArrayBuffer;
  }
}
