// The one direction in which source folders may depend on each other: docs/architecture.md, "Layers".

/** Which folders a folder may import from, besides itself. */
const allowed = {
  nt: [],
  memory: ["native"],
  "smb2/wire": ["nt"],
  "smb2/crypto": ["memory", "native"],
  scsi: ["nt", "memory"],
  native: [],
  vfs: ["nt", "scsi", "native"],
  auth: ["nt"],
  rpc: ["nt", "auth"],
  offload: ["nt", "vfs"],
};

const folder = (name) => `^src/${name}/`;

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      comment: "modules must not need each other to load; types may refer to each other",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    ...Object.entries(allowed).map(([name, targets]) => ({
      name: `layer-${name.replace("/", "-")}`,
      severity: "error",
      comment: `${name} may only import from: ${targets.join(", ") || "nothing"}`,
      from: { path: folder(name) },
      to: { path: "^src/", pathNot: [name, ...targets].map(folder) },
    })),
    {
      name: "layer-smb2",
      severity: "error",
      comment: "the protocol knows no server wiring and no concrete volume",
      from: { path: "^src/smb2/" },
      to: { path: ["^src/server/", "^src/vfs/(posix|array|memory)/", "^src/(cli|index)\\.ts$"] },
    },
    { name: "not-to-test", severity: "error", from: { path: "^src/" }, to: { path: "^(test|conformance|bench)/" } },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
  },
};
