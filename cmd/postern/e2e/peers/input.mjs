// What a test asks of a script comes as one JSON object on stdin; what the
// script found goes out as one JSON object on stdout. Judging is the test's.

export async function readInput() {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  return JSON.parse(text);
}

export async function report(run) {
  console.log = console.info = console.error; // stdout belongs to the report
  const findings = {};
  try {
    await run(await readInput(), findings);
  } catch (error) {
    findings.error = `${error?.stack ?? error}`;
  }
  process.stdout.write(`${JSON.stringify(findings)}\n`, () => process.exit(findings.error ? 1 : 0));
}
