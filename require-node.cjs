// Runs under any Node, before anything native is loaded: better-sqlite3 13 ends an older Node with a segmentation fault and no word.
const NODE_MAJOR_MIN = 24;
if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  console.error(
    `mcp-callbacks needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version} (${process.execPath}). ` +
      "On Linux `npm ci` brings the right one along (do not omit optional dependencies); elsewhere install Node.js 26.12.1 or newer (24.22.1 or newer of the 24 line).",
  );
  process.exit(2);
}
