// People at browsers, each window with cookies of its own, by the keyboard
// alone: they do the steps they are given, one after the other.
import { chromium } from 'playwright-core';
import { report } from './input.mjs';

const patience = 15_000;

class Window {
  held = null; // the callback that was stopped on its way

  constructor(page, landed) {
    this.page = page;
    this.landed = landed;
  }

  async press(selector) {
    await this.page.locator(selector).first().focus();
    await this.page.keyboard.press('Enter');
  }

  async type(selector, text) {
    await this.page.locator(selector).focus();
    await this.page.keyboard.type(text);
  }

  async open({ url }) {
    await this.page.goto(url);
  }

  async leave({ label }) {
    await this.press(`button:has-text("Sign in with ${label}")`);
  }

  async there({ account, acr }) {
    await this.page.waitForSelector('input[name=account]');
    await this.type('input[name=account]', account);
    if (acr) await this.type('input[name=acr]', acr);
    await this.press('button[value=yes]');
  }

  async cancel() {
    await this.page.waitForSelector('input[name=account]');
    await this.press('button[value=no]');
  }

  async here({ username, password }) {
    await this.type('input[name=username]', username);
    await this.type('input[name=password]', password);
    await this.page.keyboard.press('Enter');
  }

  async decide({ decision }) {
    await this.page.waitForSelector(`button[name=decision][value=${decision}]`);
    await this.press(`button[name=decision][value=${decision}]`);
  }

  // choose goes to what can be pressed and says something, and presses it.
  async choose({ says }) {
    const target = this.page.locator('a:visible, button:visible', { hasText: says }).first();
    await target.focus();
    await this.page.keyboard.press('Enter');
  }

  // hold stops the next callback, redirects included, and keeps its address.
  async hold() {
    this.blocker = await this.page.context().newCDPSession(this.page);
    this.stopped = new Promise(resolve => {
      this.blocker.on('Fetch.requestPaused', async ({ requestId, request }) => {
        await this.blocker.send('Fetch.fulfillRequest', { requestId, responseCode: 200, body: btoa('held') });
        resolve(request.url);
      });
    });
    await this.blocker.send('Fetch.enable', { patterns: [{ urlPattern: '*/login/with/*/callback*' }] });
  }

  async release() {
    this.held = await Promise.race([this.stopped, this.page.waitForTimeout(patience)]);
    await this.page.waitForSelector('body:has-text("held")');
    await this.blocker.detach();
  }

  async read({ until, as }, findings) {
    if (until === 'landed') await this.page.waitForURL(this.landed);
    else await this.page.waitForSelector(`body:has-text("${until}")`);
    findings[as] = { url: this.page.url(), text: await this.page.locator('body').innerText() };
  }
}

await report(async ({ browser, landed, steps }, findings) => {
  const launched = await chromium.launch({
    executablePath: browser,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const windows = {};
  const window = async name => {
    if (!windows[name]) {
      const context = await launched.newContext();
      const page = await context.newPage();
      page.setDefaultTimeout(patience);
      windows[name] = new Window(page, `${landed}?**`);
    }
    return windows[name];
  };
  try {
    for (const [number, step] of steps.entries()) {
      const at = await window(step.at);
      try {
        if (step.do === 'visit') {
          const url = windows[step.from].held;
          await at.page.goto(step.as ? url.replace('/with/' + step.instead + '/', '/with/' + step.as + '/') : url);
        } else await at[step.do](step, findings);
      } catch (error) {
        const text = await at.page.locator('body').innerText().catch(() => '');
        throw new Error(`step ${number} (${JSON.stringify(step)}) at ${at.page.url()}:\n${text}\n${error}`);
      }
    }
  } finally {
    await launched.close();
  }
});
