// axe-core over pages in a real browser, at several widths: what it finds, and
// which pages need scrolling sideways. With a folder, pictures of all of them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { report } from './input.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const look = async () => {
  const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
  return violations.map(v => `${v.id}: ${v.help}: ${v.nodes.map(n => n.html).slice(0, 3).join(' | ')}`);
};

await report(async ({ browser, addresses, widths, pictures }, findings) => {
  const launched = await chromium.launch({
    executablePath: browser,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  findings.seen = 0;
  findings.found = [];
  const tell = (address, width, texts) => findings.found.push(...texts.map(text => `${address} at ${width}: ${text}`));
  const visit = async queue => {
    const page = await launched.newPage();
    page.on('console', message => message.type() === 'error' && !/404/.test(message.text()) && tell(page.url(), 'any width', [message.text()]));
    for (let address = queue.shift(); address; address = queue.shift()) {
      await page.goto(address);
      await page.evaluate(axe);
      for (const width of widths) {
        await page.setViewportSize({ width, height: 900 });
        tell(address, width, await page.evaluate(look));
        if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) tell(address, width, ['wider than the window']);
        if (pictures) await page.screenshot({ path: `${pictures}/${address.replace(/^.*?:\/\/[^/]*\//, '').replaceAll('/', '-')}-${width}.png`, fullPage: true });
        findings.seen++;
      }
    }
  };
  try {
    const queue = [...addresses];
    await Promise.all([visit(queue), visit(queue)]);
  } finally {
    await launched.close();
  }
});
