// The conformance suite's authorization mode, and the person it waits for.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Person } from './person.mjs';
import { report } from './input.mjs';

await report(async (input, findings) => {
  const suite = spawn(process.execPath, [input.suite, 'authorization', ...input.args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise(resolve => suite.on('close', code => resolve(code)));
  const person = new Person(input.user, 'allow');
  findings.output = '';
  findings.pages = person.pages;
  await person.open(input.chromium);
  // The suite's own listener takes the redirect.
  const act = url => person.authorize(url, { next: () => ended }).catch(error => {
    findings.person = `${error}`;
    suite.kill();
  });
  let acting = null;
  try {
    for await (const line of createInterface({ input: suite.stdout })) {
      findings.output += `${line}\n`;
      if (line.startsWith(`${input.issuer}/`)) acting = act(line);
    }
    findings.status = await ended;
    await acting;
  } finally {
    suite.kill();
    await person.close();
  }
});
