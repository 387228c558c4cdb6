/** For clients that turn a server's tools into their own: of a tool that is not listed there is nothing to call. */
export function offered(tools, name) {
  const tool = tools[name];
  if (tool === undefined) throw new Error(`not offered: ${name}`);
  return tool;
}
