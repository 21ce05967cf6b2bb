// A page of some origin in a real browser: it sends the calls it is given and
// reports what the browser lets it read of the answers.
import { chromium } from 'playwright-core';
import { report } from './input.mjs';

await report(async ({ browser, page: address, calls }, findings) => {
  const launched = await chromium.launch({
    executablePath: browser,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const page = await launched.newPage();
    await page.goto(address);
    findings.answers = await page.evaluate(async calls => {
      const answers = [];
      for (const { url, method, headers, body } of calls) {
        try {
          const answer = await fetch(url, { method, headers, body });
          answers.push({ status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() });
        } catch (error) {
          answers.push({ blocked: `${error}` });
        }
      }
      return answers;
    }, calls);
  } finally {
    await launched.close();
  }
});
