// Runs one adapter in a process of its own, so that no client meets another, and answers what the tests ask over the process's channel.
const { connect } = await import(process.argv[2]);
let client;

const answers = {
  connect: async (given) => {
    client = await connect(given);
  },
  listTools: () => client.listTools(),
  callTool: (name, given) => client.callTool(name, given),
  close: () => client.close(),
};

process.on("message", (asked) => void answer(asked));
process.on("disconnect", () => process.exit());
process.send({ ready: true });

async function answer({ id, method, args }) {
  try {
    process.send({ id, value: await answers[method](...args) });
  } catch (error) {
    process.send({ id, error: error instanceof Error ? error.message : String(error) });
  }
}
